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
