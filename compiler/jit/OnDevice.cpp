//===- OnDevice.cpp - A function specialised for a GPU --------------------===//
//
// The host's part of the entry is compiled as for the CPU and launches kernels; the device's part is loaded
// by the runtime, which runs calls and replays them as graphs. So that addresses stay the same from call to
// call, arguments of the host go to places that are kept.
//
//===----------------------------------------------------------------------===//

#include "compiler/jit/OnDevice.h"

#include "compiler/jit/DeviceFunction.h"
#include "compiler/jit/Specialisations.h"
#include "compiler/jit/Stages.h"
#include "compiler/jit/Tune.h"

using namespace mlir;

namespace heddle::jit {

namespace {

/// Places on the device for arguments that lie on the host: the same in every call. Small ones lie side by
/// side and travel in one copy.
class Uploads {
public:
  Uploads(Device device, const std::vector<LeafType> &types) : device(device), places(types.size()) {
    for (size_t i = 0; i < types.size(); ++i) {
      places[i].bytes = size(types[i].dtype);
      for (int64_t extent : types[i].shape)
        places[i].bytes *= extent;
      if (places[i].bytes > mostPacked)
        continue;
      places[i].offset = packedBytes;
      packedBytes += (places[i].bytes + alignment - 1) / alignment * alignment;
    }
  }

  /// The address on the device for a tensor of the host; a small one gets there with `flush`.
  void *place(size_t index, const Tensor &tensor) {
    Place &place = places[index];
    if (place.bytes > mostPacked) {
      if (!place.memory.defined())
        place.memory = Tensor::empty({place.bytes}, DType::i8, device);
      check(heddle_cuda_upload(device.index(), place.memory.raw(), tensor.raw(), place.bytes));
      return place.memory.raw();
    }
    if (!packed.defined()) {
      packed = Tensor::empty({packedBytes}, DType::i8, device);
      staged.resize(static_cast<size_t>(packedBytes));
    }
    if (place.bytes > 0)
      std::memcpy(staged.data() + place.offset, tensor.raw(), static_cast<size_t>(place.bytes));
    begin = std::min(begin, place.offset);
    end = std::max(end, place.offset + place.bytes);
    return static_cast<char *>(packed.raw()) + place.offset;
  }
  void flush() {
    if (begin < end)
      check(heddle_cuda_upload(device.index(), static_cast<char *>(packed.raw()) + begin,
                               staged.data() + begin, end - begin));
    begin = INT64_MAX;
    end = 0;
  }

private:
  static constexpr int64_t mostPacked = 4096, alignment = 256;

  struct Place {
    int64_t bytes = 0, offset = 0;
    Tensor memory; ///< of a large one
  };

  Device device;
  std::vector<Place> places;
  Tensor packed;
  std::vector<char> staged; ///< what goes into `packed`
  int64_t packedBytes = 0, begin = INT64_MAX, end = 0;
};

class DeviceRun : public Run {
public:
  DeviceRun(heddle_cuda_run_t *run, std::vector<Tensor> hostArguments, const Excerpts &excerpts)
      : run(run), hostArguments(std::move(hostArguments)), excerpts(excerpts) {}
  ~DeviceRun() override {
    if (!hostArguments.empty())
      heddle_cuda_run_wait(run);
    heddle_cuda_run_free(run);
  }

  void wait() override {
    const heddle_status_t status = heddle_cuda_run_wait(run);
    hostArguments.clear();
    if (status != HEDDLE_OK)
      throw Error(status, excerpts.show(heddle_last_error()));
  }
  bool done() override { return heddle_cuda_run_done(run) != 0; }

private:
  heddle_cuda_run_t *run;
  std::vector<Tensor>
      hostArguments; ///< in memory that may be page-locked, which is read until the run is done
  const Excerpts &excerpts;
};

class OnDevice : public SpecialisationBase {
public:
  OnDevice(const frontend::Program &program, std::unique_ptr<MLIRContext> context,
           OwningOpRef<ModuleOp> owned, const std::string &entry, const FunctionOptions &options)
      : SpecialisationBase(program, std::move(context), std::move(owned), entry), device(options.device) {
    const DeviceTarget target = DeviceTarget::of(device.index());
    const CpuTarget host = runnableTarget(options.cpu);
    pipelines::PipelineOptions passes;
    passes.decompose = options.decompose;
    passes.cpu.level = host.level;
    passes.device = target.options();
    passes.device->tf32 = options.allowTF32;
    cache::MeasuredPlans plans = knownPlans(target);
    if (options.tune) {
      OwningOpRef<ModuleOp> fused = module->clone();
      runPipeline(*fused, pipelines::Stage::Fused, passes);
      for (const TunedOperation &operation :
           tune(*fused, target, device.index(), host, *passes.device, plans))
        tuned.push_back(operation.str());
    }
    passes.device->measured = choicesOf(plans);
    const std::string settings = settingsOf(options) + describeForCache(target) + describeForCache(plans);
    const CompiledEntry code = obtain(entry, host, settings, [&] {
      runPipeline(*module, pipelines::Stage::Lowered, passes);
      CompiledEntry compiled = plan(entry);
      compiled.device = compileDevice(*module, entry, target);
      compiled.canBeKept = assemble(*compiled.device, target);
      compiled.objects = compileHost(host);
      return compiled;
    });
    executable = link(code, entry);
    function = loadDeviceFunction(*code.device, entry, device.index(), inputs.size() + outputs.size(),
                                  arenaBytes, executable->entry());
    uploads.emplace(device, inputs);
  }

  Started evaluate(std::vector<Tensor> arguments) override {
    std::vector<Tensor> results, fromHost;
    std::vector<void *> buffers = place(arguments, results, fromHost);
    heddle_cuda_run_t *run = nullptr;
    check(heddle_cuda_function_start(function.get(), buffers.data(), &run));
    return {std::move(results), std::make_unique<DeviceRun>(run, std::move(fromHost), excerpts)};
  }

  std::vector<StepTime> measure(const std::vector<Tensor> &given, int64_t calls,
                                const std::vector<StepGroup> &groups) override {
    std::vector<Tensor> arguments = given;
    // Results overwrite copies of what is donated, which each call gets anew from the host.
    std::vector<Tensor> kept;
    std::vector<heddle_cuda_refill_t> refills;
    for (int64_t donor : donors) {
      if (donor < 0)
        continue;
      Tensor &argument = arguments[static_cast<size_t>(donor)];
      kept.push_back(argument.to(Device::cpu()));
      argument = kept.back().to(device);
      refills.push_back({argument.raw(), kept.back().raw(), argument.bytes()});
    }
    std::vector<Tensor> results, fromHost;
    std::vector<void *> buffers = place(arguments, results, fromHost);
    std::vector<heddle_cuda_group_t> together;
    together.reserve(groups.size());
    for (const StepGroup &group : groups)
      together.push_back({group.name.c_str(), group.expression.c_str()});
    heddle_cuda_profile_t *made = nullptr;
    check(heddle_cuda_function_profile(function.get(), buffers.data(), refills.data(),
                                       static_cast<int32_t>(refills.size()), together.data(),
                                       static_cast<int32_t>(together.size()), calls, &made));
    const std::unique_ptr<heddle_cuda_profile_t, decltype(&heddle_cuda_profile_free)> profile(
        made, heddle_cuda_profile_free);
    std::vector<StepTime> times;
    for (int64_t i = 0; i < profile->count; ++i) {
      const heddle_cuda_step_time_t &step = profile->steps[i];
      times.push_back({step.name, step.launches, step.launch_microseconds, step.call_microseconds});
    }
    return times;
  }

private:
  /// The device addresses of all arguments and of places for the results. `fromHost` are arguments that the
  /// device still reads where they are.
  std::vector<void *> place(std::vector<Tensor> &arguments, std::vector<Tensor> &results,
                            std::vector<Tensor> &fromHost) {
    std::vector<void *> buffers;
    buffers.reserve(inputs.size() + outputs.size());
    for (size_t i = 0; i < arguments.size(); ++i) {
      Tensor &argument = arguments[i];
      if (argument.device().isCpu()) {
        try {
          buffers.push_back(uploads->place(i, argument));
        } catch (const Error &error) {
          throw allocationError(error, "argument '" + inputs[i].name + "', " + inputs[i].str());
        }
        if (!argument.ownsElements())
          fromHost.push_back(argument);
        continue;
      }
      // A view of another library may begin anywhere.
      if (reinterpret_cast<uintptr_t>(argument.raw()) % HEDDLE_CUDA_ALIGNMENT != 0)
        argument = argument.clone();
      buffers.push_back(argument.raw());
    }
    uploads->flush();
    results = makeResults(arguments, device);
    for (const Tensor &result : results)
      buffers.push_back(result.raw());
    return buffers;
  }

  const Device device;
  std::unique_ptr<Executable> executable; ///< whose code `function` runs
  std::optional<Uploads> uploads;
  DeviceFunction function;
};

} // namespace

std::unique_ptr<Specialisation> specialiseOnDevice(const frontend::Program &program,
                                                   std::unique_ptr<MLIRContext> context,
                                                   OwningOpRef<ModuleOp> module, const std::string &entry,
                                                   const FunctionOptions &options) {
  return std::make_unique<OnDevice>(program, std::move(context), std::move(module), entry, options);
}

} // namespace heddle::jit
