//===- HeddleLinearOps.td - Products --------------------------------------===//

#ifndef HEDDLE_LINEAR_OPS
#define HEDDLE_LINEAR_OPS

include "dialects/heddle/IR/HeddleDialect.td"

def Heddle_EinsumOp : Heddle_InferredOp<"einsum"> {
  let summary = "Product of two tensors over named axes";
  let description = [{
    `equation` names each axis by one letter: `"bnd,dhe->bhne"`. A letter stands at most once in each operand and in
    the result; each letter of the result stands in an operand; letters absent from the result are summed over. Extents
    of one letter agree. Sums over bf16 and f16 are in f32. The cotangent of either operand is an einsum of the
    result's cotangent with the other operand.

    ```mlir
    %c = heddle.einsum "bnd,dhe->bhne" %a, %b : (tensor<2x5x8xf32>, tensor<8x4x3xf32>) -> tensor<2x4x5x3xf32>
    ```
  }];
  let arguments = (ins StrAttr:$equation, Heddle_NumberTensor:$lhs, Heddle_NumberTensor:$rhs);
  let results = (outs Heddle_NumberTensor:$result);
  let assemblyFormat = "$equation $lhs `,` $rhs attr-dict `:` functional-type(operands, $result)";
  let extraClassDeclaration = [{
    ::llvm::StringRef getLhsLabels() { return getEquation().split("->").first.split(',').first; }
    ::llvm::StringRef getRhsLabels() { return getEquation().split("->").first.split(',').second; }
    ::llvm::StringRef getResultLabels() { return getEquation().split("->").second; }
  }];
  let hasCanonicalizer = 1;
}

def Heddle_MatmulOp : Heddle_InferredOp<"matmul", [AttrSizedOperandSegments]> {
  let summary = "Batched matrix product";
  let description = [{
    `C[b, m, n] = sum_k A[b, m, k] B[b, k, n]`, all of rank 3. With `transpose_lhs` A is stored as [b, k, m], with
    `transpose_rhs` B as [b, n, k]. The form that every einsum is brought to before lowering; not differentiable
    itself, since differentiation comes before.

    Code for GPUs does more while it stores the result, in this order: `bias`, of shape [n], is added to every row,
    `addend`, of the result's type, is added, and with `relu` what is at most 0 becomes 0. Each of them rounds
    to the element type, as the operation that it stands for does.

    ```mlir
    %c = heddle.matmul %a, %b transpose_rhs : (tensor<2x4x8xf32>, tensor<2x5x8xf32>) -> tensor<2x4x5xf32>
    %d = heddle.matmul %a, %b transpose_rhs bias(%v) addend(%c) relu
      : (tensor<2x4x8xf32>, tensor<2x5x8xf32>, tensor<5xf32>, tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
    ```
  }];
  let arguments = (ins Heddle_NumberTensor:$lhs, Heddle_NumberTensor:$rhs, Optional<Heddle_NumberTensor>:$bias,
                       Optional<Heddle_NumberTensor>:$addend, UnitAttr:$transposeLhs, UnitAttr:$transposeRhs, UnitAttr:$relu);
  let results = (outs Heddle_NumberTensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`transpose_lhs` $transposeLhs^)? (`transpose_rhs` $transposeRhs^)? (`bias` `(` $bias^ `)`)?
    (`addend` `(` $addend^ `)`)? (`relu` $relu^)? attr-dict `:` functional-type(operands, $result)
  }];
  let extraClassDeclaration = [{
    bool hasEpilogue() { return getBias() || getAddend() || getRelu(); }
  }];
  let hasVerifier = 1;
}

#endif // HEDDLE_LINEAR_OPS
