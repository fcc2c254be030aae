// RUN: heddle-opt --verify-diagnostics --split-input-file %s

func.func @missing(%n: index) {
  // expected-error @below {{kernel @k is not a function}}
  heddle.launch @k[%n] grain 1 ()
  return
}

// -----

// expected-note @below {{kernel @k is defined here}}
func.func private @k(index, index, memref<8xf32>)

func.func @arguments(%n: index, %a: memref<4xf32>) {
  // expected-error @below {{does not fit the kernel's type '(index, index, memref<8xf32>) -> ()'}}
  heddle.launch @k[%n] grain 1 (%a) : memref<4xf32>
  return
}

// -----

func.func private @k(index, index)

func.func @grain(%n: index) {
  // expected-error @below {{grain 0 is less than 1}}
  heddle.launch @k[%n] grain 0 ()
  return
}

// -----

gpu.module @kernels {
  func.func @k() {
    return
  }
}

func.func @not_a_kernel(%n: index) {
  // expected-error @below {{kernel @kernels::@k is not a kernel of a gpu.module}}
  heddle.launch_device @kernels::@k grid(%n, %n, %n) block 32 shared 0 ()
  return
}

// -----

gpu.module @kernels {
  // expected-note @below {{kernel @kernels::@k is defined here}}
  gpu.func @k(%a: memref<8xf32, 1>, %n: i32) kernel {
    gpu.return
  }
}

func.func @device_arguments(%n: index, %a: memref<4xf32>, %i: i32) {
  // expected-error @below {{does not fit the kernel's type '(memref<8xf32, 1>, i32) -> ()'}}
  heddle.launch_device @kernels::@k grid(%n, %n, %n) block 32 shared 0 (%a, %i) : memref<4xf32>, i32
  return
}

// -----

func.func @block(%n: index) {
  // expected-error @below {{a block of 2048 threads is not between 1 and 1024}}
  heddle.launch_device @kernels::@k grid(%n, %n, %n) block 2048 shared 0 ()
  return
}

// -----

func.func @shared(%n: index) {
  // expected-error @below {{shared memory of -1 bytes}}
  heddle.launch_device @kernels::@k grid(%n, %n, %n) block 32 shared -1 ()
  return
}

// -----

func.func @name(%n: index) {
  // expected-error @below {{kernel @k is not named as @module::@kernel}}
  heddle.launch_device @k grid(%n, %n, %n) block 32 shared 0 ()
  return
}
