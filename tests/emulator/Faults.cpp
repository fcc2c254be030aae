#include "Faults.h"
#include "Machine.h"

#include <csignal>
#include <cstdio>
#include <ucontext.h>

namespace heddle::emulator {

static struct sigaction earlierSegv, earlierBus;
static thread_local void *faultAddress;
static thread_local bool faultWrites;

/// Where a fiber goes on after a fault.
static void reportFault() {
  Block *block = Block::running();
  char address[32];
  std::snprintf(address, sizeof address, "%p", faultAddress);
  std::string why = std::string(faultWrites ? "writes" : "reads") + " bad address " + address;
  std::string near = block->describeAddress(faultAddress);
  if (near.empty())
    near = Machine::get().memory->describe(faultAddress);
  block->fail(why + (near.empty() ? "" : ", " + near));
}

static void onFault(int signal, siginfo_t *info, void *context) {
  if (!Block::running()) { // happens again, for the earlier handler
    sigaction(signal, signal == SIGSEGV ? &earlierSegv : &earlierBus, nullptr);
    return;
  }
  faultAddress = info->si_addr;
  auto &registers = static_cast<ucontext_t *>(context)->uc_mcontext.gregs;
  faultWrites = registers[REG_ERR] & 2;
  // The fiber will not go on, so its stack may be used from the top.
  registers[REG_RSP] = reinterpret_cast<greg_t>(Block::running()->freshStack());
  registers[REG_RIP] = reinterpret_cast<greg_t>(&reportFault);
}

FaultHandlers::FaultHandlers() {
  struct sigaction action = {};
  action.sa_sigaction = onFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &earlierSegv);
  sigaction(SIGBUS, &action, &earlierBus);
}

FaultHandlers::~FaultHandlers() {
  sigaction(SIGSEGV, &earlierSegv, nullptr);
  sigaction(SIGBUS, &earlierBus, nullptr);
}

struct FaultStack::Before {
  stack_t stack;
};

FaultStack::FaultStack() : memory(new char[64 * 1024]), before(new Before) {
  stack_t stack = {};
  stack.ss_sp = memory.get();
  stack.ss_size = 64 * 1024;
  sigaltstack(&stack, &before->stack);
}

FaultStack::~FaultStack() { sigaltstack(&before->stack, nullptr); }

} // namespace heddle::emulator
