//===- HeddleElementwiseOps.td - Elementwise operations -------------------===//

#ifndef HEDDLE_ELEMENTWISE_OPS
#define HEDDLE_ELEMENTWISE_OPS

include "dialects/heddle/IR/HeddleDialect.td"

class Heddle_Unary<string mnemonic, Type operand, list<Trait> traits = []>
    : Heddle_PureOp<mnemonic, !listconcat([SameOperandsAndResultType], traits)> {
  let arguments = (ins operand:$x);
  let results = (outs operand:$result);
  let assemblyFormat = "$x attr-dict `:` type($x)";
  let hasFolder = 1;
}

class Heddle_Binary<string mnemonic, Type operand, list<Trait> traits = []>
    : Heddle_PureOp<mnemonic, !listconcat([SameOperandsAndResultType], traits)> {
  let arguments = (ins operand:$lhs, operand:$rhs);
  let results = (outs operand:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs)";
  let hasFolder = 1;
}

def Heddle_NegOp : Heddle_Unary<"neg", Heddle_NumberTensor> {
  let summary = "Negation, elementwise";
  let description = [{
    `neg(x) = -x`. The derivative is -1.

    ```mlir
    %y = heddle.neg %x : tensor<4x8xf32>
    ```
  }];
  let hasCanonicalizer = 1;
}

def Heddle_AbsOp : Heddle_Unary<"abs", Heddle_NumberTensor> {
  let summary = "Absolute value, elementwise";
  let description = [{
    `abs(x) = |x|`. The derivative is sign(x), 0 at 0.

    ```mlir
    %y = heddle.abs %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_SignOp : Heddle_Unary<"sign", Heddle_NumberTensor> {
  let summary = "Sign, elementwise";
  let description = [{
    `sign(x) = -1, 0 or 1 by the sign of x; NaN stays NaN`. The derivative is 0.

    ```mlir
    %y = heddle.sign %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_ExpOp : Heddle_Unary<"exp", Heddle_FloatTensor> {
  let summary = "Exponential, elementwise";
  let description = [{
    `exp(x) = e^x`. The derivative is the result.

    ```mlir
    %y = heddle.exp %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_Expm1Op : Heddle_Unary<"expm1", Heddle_FloatTensor> {
  let summary = "Exponential minus one, elementwise";
  let description = [{
    `expm1(x) = e^x - 1, exact near 0`. The derivative is e^x.

    ```mlir
    %y = heddle.expm1 %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_LogOp : Heddle_Unary<"log", Heddle_FloatTensor> {
  let summary = "Natural logarithm, elementwise";
  let description = [{
    `log(x) = ln x; -inf at 0, NaN below`. The derivative is 1 / x.

    ```mlir
    %y = heddle.log %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_Log1pOp : Heddle_Unary<"log1p", Heddle_FloatTensor> {
  let summary = "Logarithm of one plus x, elementwise";
  let description = [{
    `log1p(x) = ln(1 + x), exact near 0`. The derivative is 1 / (1 + x).

    ```mlir
    %y = heddle.log1p %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_SqrtOp : Heddle_Unary<"sqrt", Heddle_FloatTensor> {
  let summary = "Square root, elementwise";
  let description = [{
    `sqrt(x) = square root of x; NaN below 0`. The derivative is 1 / (2 sqrt x).

    ```mlir
    %y = heddle.sqrt %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_RsqrtOp : Heddle_Unary<"rsqrt", Heddle_FloatTensor> {
  let summary = "Reciprocal square root, elementwise";
  let description = [{
    `rsqrt(x) = 1 / sqrt(x)`. The derivative is -rsqrt(x)^3 / 2.

    ```mlir
    %y = heddle.rsqrt %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_SinOp : Heddle_Unary<"sin", Heddle_FloatTensor> {
  let summary = "Sine, elementwise";
  let description = [{
    `sin(x) = sin x, x in radians`. The derivative is cos x.

    ```mlir
    %y = heddle.sin %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_CosOp : Heddle_Unary<"cos", Heddle_FloatTensor> {
  let summary = "Cosine, elementwise";
  let description = [{
    `cos(x) = cos x, x in radians`. The derivative is -sin x.

    ```mlir
    %y = heddle.cos %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_TanhOp : Heddle_Unary<"tanh", Heddle_FloatTensor> {
  let summary = "Hyperbolic tangent, elementwise";
  let description = [{
    `tanh(x) = tanh x`. The derivative is 1 - tanh(x)^2.

    ```mlir
    %y = heddle.tanh %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_ErfOp : Heddle_Unary<"erf", Heddle_FloatTensor> {
  let summary = "Error function, elementwise";
  let description = [{
    `erf(x) = 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x`. The derivative is 2/sqrt(pi) exp(-x^2).

    ```mlir
    %y = heddle.erf %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_SigmoidOp : Heddle_Unary<"sigmoid", Heddle_FloatTensor> {
  let summary = "Logistic function, elementwise";
  let description = [{
    `sigmoid(x) = 1 / (1 + e^-x), without overflow`. The derivative is s (1 - s) of the result s.

    ```mlir
    %y = heddle.sigmoid %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_FloorOp : Heddle_Unary<"floor", Heddle_FloatTensor> {
  let summary = "Round down, elementwise";
  let description = [{
    `floor(x) = the largest integer not above x, in x's type`. The derivative is 0.

    ```mlir
    %y = heddle.floor %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_CeilOp : Heddle_Unary<"ceil", Heddle_FloatTensor> {
  let summary = "Round up, elementwise";
  let description = [{
    `ceil(x) = the smallest integer not below x, in x's type`. The derivative is 0.

    ```mlir
    %y = heddle.ceil %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_RoundOp : Heddle_Unary<"round", Heddle_FloatTensor> {
  let summary = "Round to nearest, elementwise";
  let description = [{
    `round(x) = the nearest integer, halves to even, in x's type`. The derivative is 0.

    ```mlir
    %y = heddle.round %x : tensor<4x8xf32>
    ```
  }];
}

def Heddle_NotOp : Heddle_Unary<"not", Heddle_BoolTensor> {
  let summary = "Negation of a truth value, elementwise";
  let description = [{
    `not(x) = 1 - x` on truth values.

    ```mlir
    %y = heddle.not %x : tensor<8xi1>
    ```
  }];
  let hasCanonicalizer = 1;
}

def Heddle_AddOp : Heddle_Binary<"add", Heddle_NumberTensor, [Commutative]> {
  let summary = "Sum, elementwise";
  let description = [{
    `add(a, b) = a + b`.

    ```mlir
    %c = heddle.add %a, %b : tensor<4x8xf32>
    ```
  }];
  let hasCanonicalizer = 1;
}

def Heddle_SubOp : Heddle_Binary<"sub", Heddle_NumberTensor> {
  let summary = "Difference, elementwise";
  let description = [{
    `sub(a, b) = a - b`.

    ```mlir
    %c = heddle.sub %a, %b : tensor<4x8xf32>
    ```
  }];
  let hasCanonicalizer = 1;
}

def Heddle_MulOp : Heddle_Binary<"mul", Heddle_NumberTensor, [Commutative]> {
  let summary = "Product, elementwise";
  let description = [{
    `mul(a, b) = a b`.

    ```mlir
    %c = heddle.mul %a, %b : tensor<4x8xf32>
    ```
  }];
  let hasCanonicalizer = 1;
}

def Heddle_DivOp : Heddle_Binary<"div", Heddle_NumberTensor> {
  let summary = "Quotient, elementwise";
  let description = [{
    `div(a, b) = a / b; integers round toward minus infinity, and a zero divisor gives 0`.

    ```mlir
    %c = heddle.div %a, %b : tensor<4x8xf32>
    ```
  }];
  let hasCanonicalizer = 1;
}

def Heddle_RemOp : Heddle_Binary<"rem", Heddle_NumberTensor> {
  let summary = "Remainder, elementwise";
  let description = [{
    `rem(a, b) = a - b floor(a / b), of b's sign, as Python's %; an integer zero divisor gives 0`.

    ```mlir
    %c = heddle.rem %a, %b : tensor<4x8xf32>
    ```
  }];
}

def Heddle_PowOp : Heddle_Binary<"pow", Heddle_FloatTensor> {
  let summary = "Power, elementwise";
  let description = [{
    `pow(a, b) = a to the power b as C's pow; the derivative in a is b a^(b-1), that in b is a^b ln a (0 at a = 0)`.

    ```mlir
    %c = heddle.pow %a, %b : tensor<4x8xf32>
    ```
  }];
  let hasCanonicalizer = 1;
}

def Heddle_MaxOp : Heddle_Binary<"max", Heddle_NumberTensor, [Commutative]> {
  let summary = "Maximum, elementwise";
  let description = [{
    `max(a, b) = the larger; NaN if either is NaN. The cotangent goes to the larger, half to each where equal`.

    ```mlir
    %c = heddle.max %a, %b : tensor<4x8xf32>
    ```
  }];
}

def Heddle_MinOp : Heddle_Binary<"min", Heddle_NumberTensor, [Commutative]> {
  let summary = "Minimum, elementwise";
  let description = [{
    `min(a, b) = the smaller; NaN if either is NaN. The cotangent goes to the smaller, half to each where equal`.

    ```mlir
    %c = heddle.min %a, %b : tensor<4x8xf32>
    ```
  }];
}

def Heddle_AndOp : Heddle_Binary<"and", Heddle_BoolTensor, [Commutative]> {
  let summary = "Conjunction, elementwise";
  let description = [{
    `and(a, b) = a and b` on truth values.

    ```mlir
    %c = heddle.and %a, %b : tensor<8xi1>
    ```
  }];
}

def Heddle_OrOp : Heddle_Binary<"or", Heddle_BoolTensor, [Commutative]> {
  let summary = "Disjunction, elementwise";
  let description = [{
    `or(a, b) = a or b` on truth values.

    ```mlir
    %c = heddle.or %a, %b : tensor<8xi1>
    ```
  }];
}

def Heddle_ComparePredicate : Heddle_Enum<"ComparePredicate", "how two numbers are compared", [
    I32EnumAttrCase<"eq", 0>, I32EnumAttrCase<"ne", 1>, I32EnumAttrCase<"lt", 2>, I32EnumAttrCase<"le", 3>,
    I32EnumAttrCase<"gt", 4>, I32EnumAttrCase<"ge", 5>]>;
def Heddle_ComparePredicateAttr : EnumAttr<Heddle_Dialect, Heddle_ComparePredicate, "predicate">;

def Heddle_CompareOp : Heddle_InferredOp<"compare", [SameTypeOperands]> {
  let summary = "Comparison, elementwise";
  let description = [{
    `compare p a, b` is true where `a p b`. With a NaN every predicate is false but `ne`, which is true.

    ```mlir
    %c = heddle.compare lt %a, %b : tensor<8xf32>
    ```
  }];
  let arguments = (ins Heddle_ComparePredicateAttr:$predicate, Heddle_Tensor:$lhs, Heddle_Tensor:$rhs);
  let results = (outs Heddle_BoolTensor:$result);
  let assemblyFormat = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Heddle_SelectOp : Heddle_PureOp<"select", [AllTypesMatch<["onTrue", "onFalse", "result"]>,
                                               AllShapesMatch<["condition", "onTrue"]>]> {
  let summary = "Choice between two values, elementwise";
  let description = [{
    `select(c, a, b) = a where c, else b`. The branch that is not chosen gets cotangent 0.

    ```mlir
    %r = heddle.select %c, %a, %b : tensor<8xi1>, tensor<8xf32>
    ```
  }];
  let arguments = (ins Heddle_BoolTensor:$condition, Heddle_Tensor:$onTrue, Heddle_Tensor:$onFalse);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$condition `,` $onTrue `,` $onFalse attr-dict `:` type($condition) `,` type($onTrue)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Heddle_CastOp : Heddle_PureOp<"cast", [AllShapesMatch<["x", "result"]>]> {
  let summary = "Conversion of the element type";
  let description = [{
    `cast(x)` rounds to the nearest value, ties to even. Floating point to integer rounds toward zero and saturates,
    NaN gives 0. A truth value is 0 or 1; a number is true where it is not 0.

    ```mlir
    %y = heddle.cast %x : tensor<8xf32> -> tensor<8xbf16>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$x);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Heddle_StopGradientOp : Heddle_Unary<"stop_gradient", Heddle_Tensor> {
  let summary = "The identity, through which no derivative passes";
  let description = [{
    `stop_gradient(x) = x`, with cotangent and tangent 0. Removed after differentiation.

    ```mlir
    %y = heddle.stop_gradient %x : tensor<8xf32>
    ```
  }];
}

def Heddle_FenceOp : Heddle_PureOp<"fence", [SameOperandsAndResultType]> {
  let summary = "The identity, which common-subexpression elimination does not look through";
  let description = [{
    `fence(x) = x`. Reverse mode puts recomputed work behind fences, so that it is not merged again with the forward
    pass. Each fence carries a number that makes it unique. Removed before lowering.

    ```mlir
    %y = heddle.fence 3 %x : tensor<8xf32>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$x, I64Attr:$id);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$id $x attr-dict `:` type($x)";
}

#endif // HEDDLE_ELEMENTWISE_OPS
