#include "dialects/autodiff/IR/Autodiff.h"

#include "dialects/autodiff/IR/AutodiffInterfaces.cpp.inc"
