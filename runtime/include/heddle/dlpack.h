/* Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
 *
 * The tensor layout that Heddle exchanges with other libraries: DLPack's unversioned structures (0.6; later
 * releases keep them). Where <dlpack/dlpack.h> is installed it is used, so both can be included together;
 * otherwise the same layout is declared here and a package of the runtime needs no further header. */
#ifndef HEDDLE_DLPACK_H
#define HEDDLE_DLPACK_H

#if !defined(DLPACK_DLPACK_H_) && !defined(HEDDLE_OWN_DLPACK)
#if defined(__has_include)
#if __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>
#endif
#endif
#endif

#ifndef DLPACK_DLPACK_H_
#define DLPACK_DLPACK_H_
#include <stdint.h>

/* Where the data lives; the numbers are DLPack's. */
typedef enum { kDLCPU = 1, kDLCUDA = 2, kDLCUDAHost = 3, kDLCUDAManaged = 13 } DLDeviceType;

typedef struct {
  DLDeviceType device_type;
  int device_id;
} DLDevice;

/* The family of an element type; the width is in DLDataType::bits. */
typedef enum { kDLInt = 0, kDLUInt = 1, kDLFloat = 2, kDLBfloat = 4 } DLDataTypeCode;

typedef struct {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
} DLDataType;

/* A view: `data + byte_offset` is the first element, strides count elements, null strides mean row-major. */
typedef struct {
  void *data;
  DLDevice device;
  int ndim;
  DLDataType dtype;
  int64_t *shape;
  int64_t *strides;
  uint64_t byte_offset;
} DLTensor;

/* A view with an owner: whoever holds it calls `deleter(self)` once. */
typedef struct DLManagedTensor {
  DLTensor dl_tensor;
  void *manager_ctx;
  void (*deleter)(struct DLManagedTensor *self);
} DLManagedTensor;
#endif /* DLPACK_DLPACK_H_ */

#endif /* HEDDLE_DLPACK_H */
