//===- HeddleDialect.td - The tensor dialect and its base classes ---------===//

#ifndef HEDDLE_DIALECT
#define HEDDLE_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Heddle_Dialect : Dialect {
  let name = "heddle";
  let cppNamespace = "::heddle::ir";
  let summary = "Tensor programs as values: what the Heddle language means";
  let description = [{
    Pure operations on ranked tensors. A scalar is a tensor of rank 0. No operation broadcasts or converts element
    types implicitly. Extents may be dynamic; two extents agree when they are equal or one is dynamic.
    Reductions and products of bf16 and f16 accumulate in f32.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let hasCanonicalizer = 1;
}

def Heddle_Tensor : RankedTensorOf<[F64, F32, BF16, F16, I64, I32, I8, I1]>;
def Heddle_FloatTensor : RankedTensorOf<[F64, F32, BF16, F16]>;
def Heddle_NumberTensor : RankedTensorOf<[F64, F32, BF16, F16, I64, I32, I8]>;
def Heddle_IndexTensor : RankedTensorOf<[I64, I32]>;
def Heddle_BoolTensor : RankedTensorOf<[I1]>;
def Heddle_IndexScalar : 0DTensorOf<[I64, I32]>;
def Heddle_BoolScalar : 0DTensorOf<[I1]>;
def Heddle_KeyScalar : 0DTensorOf<[I64]>;

class Heddle_Op<string mnemonic, list<Trait> traits = []> : Op<Heddle_Dialect, mnemonic, traits>;
class Heddle_PureOp<string mnemonic, list<Trait> traits = []> : Heddle_Op<mnemonic, !listconcat([Pure], traits)>;
class Heddle_InferredOp<string mnemonic, list<Trait> traits = []>
    : Heddle_PureOp<mnemonic, !listconcat([InferTypeOpAdaptor], traits)>;

class Heddle_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::heddle::ir";
  let genSpecializedAttr = 0;
}

#endif // HEDDLE_DIALECT
