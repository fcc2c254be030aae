// What programs are made of: layers, normalisation and losses as the language expands them.

func.func @mlp(%x: tensor<4x3xf64>, %w1: tensor<3x5xf64>, %b1: tensor<5xf64>, %w2: tensor<5x2xf64>) -> tensor<4x2xf64> {
  %h = heddle.einsum "nd,dh->nh" %x, %w1 : (tensor<4x3xf64>, tensor<3x5xf64>) -> tensor<4x5xf64>
  %b = heddle.broadcast %b1 axes [1] : tensor<5xf64> -> tensor<4x5xf64>
  %a = heddle.add %h, %b : tensor<4x5xf64>
  %s = heddle.sigmoid %a : tensor<4x5xf64>
  %g = heddle.mul %a, %s : tensor<4x5xf64>
  %y = heddle.einsum "nh,hd->nd" %g, %w2 : (tensor<4x5xf64>, tensor<5x2xf64>) -> tensor<4x2xf64>
  return %y : tensor<4x2xf64>
}
func.func @softmax(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %m = heddle.reduce max %x axes [1] : tensor<3x5xf64> -> tensor<3xf64>
  %mb = heddle.broadcast %m axes [0] : tensor<3xf64> -> tensor<3x5xf64>
  %d = heddle.sub %x, %mb : tensor<3x5xf64>
  %e = heddle.exp %d : tensor<3x5xf64>
  %s = heddle.reduce sum %e axes [1] : tensor<3x5xf64> -> tensor<3xf64>
  %sb = heddle.broadcast %s axes [0] : tensor<3xf64> -> tensor<3x5xf64>
  %p = heddle.div %e, %sb : tensor<3x5xf64>
  return %p : tensor<3x5xf64>
}
func.func @rms_norm(%x: tensor<3x5xf64>, %g: tensor<5xf64>) -> tensor<3x5xf64> {
  %n = heddle.constant dense<5.0> : tensor<3xf64>
  %eps = heddle.constant dense<1.0e-5> : tensor<3xf64>
  %xx = heddle.mul %x, %x : tensor<3x5xf64>
  %s = heddle.reduce sum %xx axes [1] : tensor<3x5xf64> -> tensor<3xf64>
  %m = heddle.div %s, %n : tensor<3xf64>
  %a = heddle.add %m, %eps : tensor<3xf64>
  %r = heddle.rsqrt %a : tensor<3xf64>
  %rb = heddle.broadcast %r axes [0] : tensor<3xf64> -> tensor<3x5xf64>
  %y = heddle.mul %x, %rb : tensor<3x5xf64>
  %gb = heddle.broadcast %g axes [1] : tensor<5xf64> -> tensor<3x5xf64>
  %z = heddle.mul %y, %gb : tensor<3x5xf64>
  return %z : tensor<3x5xf64>
}
func.func @cross_entropy(%x: tensor<3x5xf64>, %labels: tensor<3xi32> {test.range = [0.0, 5.0]}) -> tensor<f64> {
  %m = heddle.reduce max %x axes [1] : tensor<3x5xf64> -> tensor<3xf64>
  %stopped = heddle.stop_gradient %m : tensor<3xf64>
  %mb = heddle.broadcast %stopped axes [0] : tensor<3xf64> -> tensor<3x5xf64>
  %d = heddle.sub %x, %mb : tensor<3x5xf64>
  %e = heddle.exp %d : tensor<3x5xf64>
  %s = heddle.reduce sum %e axes [1] : tensor<3x5xf64> -> tensor<3xf64>
  %l = heddle.log %s : tensor<3xf64>
  %ids = heddle.reshape %labels : tensor<3xi32> -> tensor<3x1xi32>
  %at = heddle.take_along %d[%ids] axis 1 : tensor<3x5xf64>, tensor<3x1xi32> -> tensor<3x1xf64>
  %flat = heddle.reshape %at : tensor<3x1xf64> -> tensor<3xf64>
  %loss = heddle.sub %l, %flat : tensor<3xf64>
  %sum = heddle.reduce sum %loss axes [0] : tensor<3xf64> -> tensor<f64>
  return %sum : tensor<f64>
}
// Layers with a norm, attention with learned selection and a residual, run by a loop over stacked weights.
func.func @transformer(%x: tensor<1x7x4xf64>, %wq: tensor<2x4x2x2xf64>, %wk: tensor<2x4x1x2xf64>, %ws: tensor<2x4xf64>) -> tensor<1x7x4xf64> {
  %y = heddle.for 2 scan(%wq, %wk, %ws) init(%x) : (tensor<2x4x2x2xf64>, tensor<2x4x1x2xf64>, tensor<2x4xf64>, tensor<1x7x4xf64>) -> tensor<1x7x4xf64> {
  ^bb0(%i: tensor<i32>, %q: tensor<4x2x2xf64>, %k: tensor<4x1x2xf64>, %s: tensor<4xf64>, %h: tensor<1x7x4xf64>):
    %xx = heddle.mul %h, %h : tensor<1x7x4xf64>
    %sum = heddle.reduce sum %xx axes [2] : tensor<1x7x4xf64> -> tensor<1x7xf64>
    %r = heddle.rsqrt %sum : tensor<1x7xf64>
    %rb = heddle.broadcast %r axes [0, 1] : tensor<1x7xf64> -> tensor<1x7x4xf64>
    %n = heddle.mul %h, %rb : tensor<1x7x4xf64>
    %qs = heddle.einsum "bnd,dhe->bhne" %n, %q : (tensor<1x7x4xf64>, tensor<4x2x2xf64>) -> tensor<1x2x7x2xf64>
    %ks = heddle.einsum "bnd,dhe->bhne" %n, %k : (tensor<1x7x4xf64>, tensor<4x1x2xf64>) -> tensor<1x1x7x2xf64>
    %u1 = heddle.einsum "bnd,d->bn" %n, %s : (tensor<1x7x4xf64>, tensor<4xf64>) -> tensor<1x7xf64>
    %u = heddle.reshape %u1 : tensor<1x7xf64> -> tensor<1x1x7xf64>
    %hi, %lo, %count, %end = sparsek.threshold %u topk 2 window 2 : tensor<1x1x7xf64> -> tensor<1x1x7xf64>, tensor<1x1x7xf64>, tensor<1x1x7xi32>, tensor<1x1x7xi32>
    %o, %lse = sparsek.attention %qs, %ks, %ks, %u, %hi, %lo, %end topk 2 window 2 scale 0.7 gate both estimator soft
        : (tensor<1x2x7x2xf64>, tensor<1x1x7x2xf64>, tensor<1x1x7x2xf64>, tensor<1x1x7xf64>, tensor<1x1x7xf64>, tensor<1x1x7xf64>, tensor<1x1x7xi32>) -> (tensor<1x2x7x2xf64>, tensor<1x2x7xf64>)
    %back = heddle.einsum "bhne,dhe->bnd" %o, %q : (tensor<1x2x7x2xf64>, tensor<4x2x2xf64>) -> tensor<1x7x4xf64>
    %next = heddle.add %h, %back : tensor<1x7x4xf64>
    heddle.yield %next : tensor<1x7x4xf64>
  }
  return %y : tensor<1x7x4xf64>
}
