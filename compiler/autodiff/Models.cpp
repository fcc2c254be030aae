//===- Models.cpp - Registration of the rules -----------------------------===//

#include "compiler/autodiff/Autodiff.h"
#include "compiler/autodiff/Rules/Rules.h"

using namespace mlir;

void heddle::autodiff::registerModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, ir::HeddleDialect *) {
    attachScalarRules(context);
    attachMovementRules(context);
    attachSliceRules(context);
    attachReductionRules(context);
    attachProductRules(context);
    attachIndexRules(context);
  });
  registry.addExtension(+[](MLIRContext *context, sparsek::SparseKDialect *) {
    attachSparseKRules(context);
    attachVariantRules(context);
  });
}
