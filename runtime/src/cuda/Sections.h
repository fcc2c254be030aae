// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Steps of a call that run beside its main stream.
#pragma once

#include "cuda/Device.h"

#include <map>

namespace heddle::runtime::cuda {

/// What one call has put aside, and how much of that its main stream waits for. Sections follow each other on
/// the second stream, so who waits for one waits for those before it.
class Sections {
public:
  /// Without streams nothing is asked of the driver: the call is only compared with another.
  Sections(Device &device, CUstream main, CUstream aside) : device(device), main(main), aside(aside) {}

  /// Where the next step goes.
  CUstream stream() const { return within ? aside : main; }

  // What the host code asks for; a defect of it is thrown.
  void begin();
  void end(int32_t section);
  void join(int32_t section);

  /// Lets the current stream wait for all that the call has asked for. Within a section it does already.
  void gather() {
    if (!within)
      joinAll();
  }
  /// Goes back to the main stream, which then waits for all that is aside.
  void joinAll();

private:
  void record(CUevent event, CUstream stream) const;
  void wait(CUstream stream, CUevent event) const;

  Device &device;
  const CUstream main, aside;
  bool within = false;          ///< a section
  size_t ended = 0, joined = 0; ///< how many sections the call has put aside, and how many have been joined
  std::map<int32_t, size_t> latest; ///< of a section: the value of `ended` after its last run
};

} // namespace heddle::runtime::cuda
