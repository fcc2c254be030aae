// Constants in a resource: large weights are not spelled out element by element.
// RUN: heddle-interp %s
// RUN: heddle-interp --precision f64 %s

func.func @reals() {
  %x = heddle.constant dense_resource<reals> : tensor<2xf32>
  %expected = heddle.constant dense<[1.0, 2.0]> : tensor<2xf32>
  check.expect_eq %x, %expected : tensor<2xf32>
  return
}

func.func @halves() {
  %x = heddle.constant dense_resource<halves> : tensor<1x2xbf16>
  %expected = heddle.constant dense<[[1.0, -2.0]]> : tensor<1x2xbf16>
  check.expect_eq %x, %expected : tensor<1x2xbf16>
  return
}

{-#
  dialect_resources: {
    builtin: {
      reals: "0x040000000000803F00000040",
      halves: "0x02000000803F00C0"
    }
  }
#-}
