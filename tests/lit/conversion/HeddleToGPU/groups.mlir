// RUN: heddle-opt --heddle-gpu-fused --heddle-gpu-lowered %s | FileCheck %s
// RUN: heddle-opt --heddle-gpu-fused --heddle-gpu-lowered --heddle-gpu-to-nvvm --heddle-print-ptx=chip=sm_80 -o %t %s | FileCheck %s --check-prefix=PTX

// A thread computes four adjacent elements; their accesses are one each. Inputs and results do not overlap.
// CHECK-LABEL: func.func @elementwise
// CHECK-SAME: heddle.kernels = ["k0_mul"], heddle.messages = [], heddle.products = []
// CHECK: heddle.launch_device @kernels::@k0_mul grid(%c7, %c1, %c1) block 256 shared 0
// PTX-LABEL: .entry k0_mul(
// PTX-COUNT-2: ld.global.nc.v4
// PTX-NOT: ld.global
// PTX: st.global.v4
// PTX-NOT: st.global
func.func @elementwise(%a: tensor<64x100xf32>, %b: tensor<100xf32>) -> tensor<64x100xf32> {
  %c = heddle.broadcast %b axes [1] : tensor<100xf32> -> tensor<64x100xf32>
  %0 = heddle.add %a, %c : tensor<64x100xf32>
  %1 = heddle.mul %0, %a : tensor<64x100xf32>
  return %1 : tensor<64x100xf32>
}

// A warp has a row in registers: each element is read and written once.
// CHECK-LABEL: func.func @softmax
// CHECK: heddle.launch_device @kernels::@k0_div grid(%c1024, %c1, %c1) block 128 shared 0
// PTX-LABEL: .entry k0_div(
// PTX-COUNT-8: ld.global.nc.v4
// PTX-NOT: ld.global
// PTX-COUNT-8: st.global.v4
// PTX-NOT: st.global
func.func @softmax(%a: tensor<4096x1024xf32>) -> tensor<4096x1024xf32> {
  %m = heddle.reduce max %a axes [1] : tensor<4096x1024xf32> -> tensor<4096xf32>
  %mb = heddle.broadcast %m axes [0] : tensor<4096xf32> -> tensor<4096x1024xf32>
  %d = heddle.sub %a, %mb : tensor<4096x1024xf32>
  %e = heddle.exp %d : tensor<4096x1024xf32>
  %s = heddle.reduce sum %e axes [1] : tensor<4096x1024xf32> -> tensor<4096xf32>
  %sb = heddle.broadcast %s axes [0] : tensor<4096xf32> -> tensor<4096x1024xf32>
  %q = heddle.div %e, %sb : tensor<4096x1024xf32>
  return %q : tensor<4096x1024xf32>
}

// Rows are summed up in two steps of fixed order: parts by many blocks, then the parts.
// CHECK-LABEL: func.func @columns
// CHECK: heddle.launch_device @kernels::@k0_reduce grid(%c384, %c1, %c1) block 256
// CHECK: heddle.launch_device @kernels::@k1_reduce grid(%c24, %c1, %c1) block 256
// PTX-LABEL: .entry k0_reduce(
// PTX: ld.global.nc.v4
// PTX: bar.sync
// PTX: st.global.v4
// PTX-LABEL: .entry k1_reduce(
func.func @columns(%a: tensor<512x768xf32>) -> tensor<768xf32> {
  %m = heddle.reduce sum %a axes [0] : tensor<512x768xf32> -> tensor<768xf32>
  return %m : tensor<768xf32>
}

// The gradient of a norm reads x and dy once: a block has the rows of one part, and keeps the sums for the weights in registers.
// CHECK-LABEL: func.func @norm_gradient
// CHECK: heddle.launch_device @kernels::@k2_reduce grid(%c256, %c1, %c1) block 128 shared 16
// CHECK: heddle.launch_device @kernels::@k3_reduce
// CHECK-NOT: launch_device
// CHECK: return
// PTX-LABEL: .entry k2_reduce(
// PTX-COUNT-2: st.global.v4
// PTX-COUNT-4: ld.global.nc.v4
// PTX-NOT: ld.global
// PTX-COUNT-2: st.global.v4
// PTX-NOT: st.global
// PTX-LABEL: .entry k3_reduce(
func.func @norm_gradient(%x: tensor<2048x1024xf32>, %dy: tensor<2048x1024xf32>) -> (tensor<2048x1024xf32>, tensor<1024xf32>) {
  %0 = heddle.mul %x, %dy : tensor<2048x1024xf32>
  %s = heddle.reduce sum %0 axes [1] : tensor<2048x1024xf32> -> tensor<2048xf32>
  %sb = heddle.broadcast %s axes [0] : tensor<2048xf32> -> tensor<2048x1024xf32>
  %dx = heddle.mul %sb, %dy : tensor<2048x1024xf32>
  %dw = heddle.mul %dx, %x : tensor<2048x1024xf32>
  %w = heddle.reduce sum %dw axes [0] : tensor<2048x1024xf32> -> tensor<1024xf32>
  return %dx, %w : tensor<2048x1024xf32>, tensor<1024xf32>
}

// Rows of a part are every 1024th, so that the blocks of all parts go through memory together; short rows are cut into
// more parts, which all fit into multiprocessors at the same time.
// CHECK-LABEL: func.func @narrow_norm_gradient
// CHECK: heddle.launch_device @kernels::@k4_reduce grid(%c1024, %c1, %c1) block 64 shared 8
// PTX-LABEL: .entry k4_reduce(
// PTX: .minnctapersm 8
// PTX: mov.u32 [[BLOCK:%r[0-9]+]], %ctaid.x
// PTX: mul.wide.u32 %{{.*}}, [[BLOCK]], 1536
func.func @narrow_norm_gradient(%x: tensor<16384x768xbf16>, %dy: tensor<16384x768xbf16>) -> (tensor<16384x768xbf16>, tensor<768xbf16>) {
  %0 = heddle.mul %x, %dy : tensor<16384x768xbf16>
  %s = heddle.reduce sum %0 axes [1] : tensor<16384x768xbf16> -> tensor<16384xbf16>
  %sb = heddle.broadcast %s axes [0] : tensor<16384xbf16> -> tensor<16384x768xbf16>
  %dx = heddle.mul %sb, %dy : tensor<16384x768xbf16>
  %dw = heddle.mul %dx, %x : tensor<16384x768xbf16>
  %w = heddle.reduce sum %dw axes [0] : tensor<16384x768xbf16> -> tensor<768xbf16>
  return %dx, %w : tensor<16384x768xbf16>, tensor<768xbf16>
}

// The normalised rows in f32 are not kept across the product that reads them in bf16: the gradient computes them again from the sum
// of bf16 rows, which takes half the bytes.
// CHECK-LABEL: func.func @narrow_rows
// CHECK: heddle.launch_device @kernels::@[[NORM:[a-z0-9_]*]] grid({{.*}}) : memref<262144xbf16>, memref<262144xbf16>, memref<262144xbf16>, memref<1024xf32>, memref<262144xbf16>
// CHECK: heddle.runtime_call @heddle_cuda_matmul
// CHECK: heddle.launch_device @kernels::@{{.*}} grid({{.*}}) : memref<262144xbf16>, memref<262144xbf16>, memref<1024xf32>, memref<262144xf32>
func.func @narrow_rows(%a: tensor<1024x256xbf16>, %b: tensor<1024x256xbf16>, %w: tensor<1x256x256xbf16>) -> (tensor<1024x256xf32>) {
  %x = heddle.add %a, %b : tensor<1024x256xbf16>
  %f = heddle.cast %x : tensor<1024x256xbf16> -> tensor<1024x256xf32>
  %m = heddle.reduce max %f axes [1] : tensor<1024x256xf32> -> tensor<1024xf32>
  %r = heddle.rsqrt %m : tensor<1024xf32>
  %rb = heddle.broadcast %r axes [0] : tensor<1024xf32> -> tensor<1024x256xf32>
  %n = heddle.mul %f, %rb : tensor<1024x256xf32>
  %h = heddle.cast %n : tensor<1024x256xf32> -> tensor<1024x256xbf16>
  %hs = heddle.reshape %h : tensor<1024x256xbf16> -> tensor<1x1024x256xbf16>
  %p = heddle.matmul %hs, %w : (tensor<1x1024x256xbf16>, tensor<1x256x256xbf16>) -> tensor<1x1024x256xbf16>
  %ps = heddle.reshape %p : tensor<1x1024x256xbf16> -> tensor<1024x256xbf16>
  %pf = heddle.cast %ps : tensor<1024x256xbf16> -> tensor<1024x256xf32>
  %o = heddle.mul %pf, %n : tensor<1024x256xf32>
  return %o : tensor<1024x256xf32>
}
