/* What device code for the emulated device calls, and the image that such a device loads.
 *
 * The compiler emits the calls and fills in the image; tests/emulator implements the functions. Everything
 * here runs in one process. Enumerations have the numbers of MLIR's NVVM dialect where they say so. */
#ifndef HEDDLE_COMPILER_CONVERSION_GPUTOPTX_EMULATEDDEVICE_H
#define HEDDLE_COMPILER_CONVERSION_GPUTOPTX_EMULATEDDEVICE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The image: what cuModuleLoadData takes ---- */

#define HEDDLE_EMULATED_MAGIC "heddle emulated"

typedef struct heddle_emulated_kernel {
  const char *name;
  void (*run)(void **arguments); /* one thread; a pointer to each argument */
  const int32_t *argument_bytes;
  int32_t arguments;
  int32_t block_threads; /* 0: any number */
} heddle_emulated_kernel;

/* It may be copied: the pointers stay valid as long as the code does. */
typedef struct heddle_emulated_image {
  char magic[16];
  int64_t count;
  const heddle_emulated_kernel *kernels;
} heddle_emulated_image;

/* ---- What one thread may ask and do ---- */

enum heddle_emulated_register {
  HEDDLE_EMULATED_TID, /* x, y, z follow each other */
  HEDDLE_EMULATED_NTID = HEDDLE_EMULATED_TID + 3,
  HEDDLE_EMULATED_CTAID = HEDDLE_EMULATED_NTID + 3,
  HEDDLE_EMULATED_NCTAID = HEDDLE_EMULATED_CTAID + 3,
  HEDDLE_EMULATED_LANEID = HEDDLE_EMULATED_NCTAID + 3,
  HEDDLE_EMULATED_WARPID,
  HEDDLE_EMULATED_NWARPID,
  HEDDLE_EMULATED_WARPSIZE,
  HEDDLE_EMULATED_LANEMASK_EQ,
  HEDDLE_EMULATED_LANEMASK_LE,
  HEDDLE_EMULATED_LANEMASK_LT,
  HEDDLE_EMULATED_LANEMASK_GE,
  HEDDLE_EMULATED_LANEMASK_GT,
  HEDDLE_EMULATED_DYNAMIC_SMEM_SIZE,
  HEDDLE_EMULATED_REGISTERS
};
int32_t heddle_emulated_register(int32_t which);
/* The block's dynamic shared memory, below 2^31 so that an address fits 32 bits. */
void *heddle_emulated_shared(void);

/* Fails where a vector is accessed at an address that is not a multiple of its alignment. */
void heddle_emulated_check_alignment(const void *address, int32_t alignment);
/* Lets the other threads run: for loops that wait for memory to change. */
void heddle_emulated_yield(void);

/* Barriers of the block. threads = 0: all that have not ended. kind: popc, and, or of NVVM. */
void heddle_emulated_barrier(int32_t barrier, int32_t threads);
void heddle_emulated_barrier_arrive(int32_t barrier, int32_t threads);
int32_t heddle_emulated_barrier_reduce(int32_t barrier, int32_t threads, int32_t predicate, int32_t kind);

/* Collectives of the lanes of `mask` that have not ended. Kinds are NVVM's. */
void heddle_emulated_warp_barrier(int32_t mask);
/* The value in the low half, bit 32: the source lane is within its segment. */
int64_t heddle_emulated_shuffle(int32_t mask, int32_t value, int32_t lane, int32_t clamp, int32_t kind);
int32_t heddle_emulated_vote(int32_t mask, int32_t predicate, int32_t kind);
/* The lanes with the same value; for `all` of unequal values 0. */
int32_t heddle_emulated_match(int32_t mask, int64_t value, int32_t kind);
int32_t heddle_emulated_reduce(int32_t mask, int32_t value, int32_t kind);
int32_t heddle_emulated_elect(int32_t mask);

/* Matrices of the warp: fragments in the registers' order. */
enum heddle_emulated_element { HEDDLE_EMULATED_F16, HEDDLE_EMULATED_BF16, HEDDLE_EMULATED_TF32 };
/* m16n8k: k is 8 or 16 for 16-bit elements, 4 or 8 for tf32. */
void heddle_emulated_mma(int32_t element, int32_t k, const int32_t *a, const int32_t *b, const float *c,
                         float *d);
void heddle_emulated_load_matrix(const void *row, int32_t count, int32_t transposed, int32_t *out);
void heddle_emulated_store_matrix(void *row, int32_t count, int32_t transposed, const int32_t *words);

/* Products of warpgroups (WarpgroupCode.h), made by each warp for its 16 rows when it asks. Operands: the n /
 * 2 sums where there are any, A as 4 words of registers or as a descriptor (`shared`), the descriptor of B.
 */
void heddle_emulated_warpgroup_product(int32_t f16, int32_t n, int32_t shared, int32_t across, int32_t adds,
                                       const int64_t *operands, float *sums);
void heddle_emulated_pack_pair(int32_t f16, const int64_t *operands, int32_t *result);
/// Of sum, x, y, gate: sum + x y where 0 < gate < 1, sum elsewhere.
void heddle_emulated_multiply_add_within(const int64_t *operands, int32_t *result);

/* Barriers in shared memory, of 64 bits. */
void heddle_emulated_mbarrier_init(void *barrier, int32_t arrivals);
void heddle_emulated_mbarrier_arrive(void *barrier, int32_t count);
void heddle_emulated_mbarrier_arrive_copies(void *barrier); /* all copies of this thread happen at once */
void heddle_emulated_mbarrier_wait(const void *barrier, int32_t parity);

/* Asynchronous copies; they happen at the latest possible moment, a wait. */
void heddle_emulated_copy(void *to, const void *from, int32_t bytes, int32_t used);
void heddle_emulated_copy_commit(void);
void heddle_emulated_copy_wait(int32_t groups);

/* Intrinsics llvm.nvvm.<name> with dots as underscores. */
float heddle_emulated_ex2_approx_f(float x);
float heddle_emulated_ex2_approx_ftz_f(float x);
float heddle_emulated_lg2_approx_f(float x);
float heddle_emulated_lg2_approx_ftz_f(float x);
float heddle_emulated_rcp_approx_ftz_f(float x);
float heddle_emulated_rsqrt_approx_f(float x);
float heddle_emulated_rsqrt_approx_ftz_f(float x);
float heddle_emulated_sqrt_rn_f(float x);
double heddle_emulated_sqrt_rn_d(double x);
int32_t heddle_emulated_f2tf32_rna(float x);
float heddle_emulated_add_rn_sat_f(float x, float y);

/* ---- For tests ---- */

/* The order in which threads of a block, and blocks, get their turn: 0 ascending, 1 descending. Work of other
 * streams than the one that the host waits for, and of other branches of graphs that are launched from now
 * on, happens 0 as late, 1 as early as possible. */
void heddle_emulated_set_order(int32_t order);
/* Why the last launch failed: the kernel, the block and what its threads did. "" if none failed. */
const char *heddle_emulated_failure(void);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* HEDDLE_COMPILER_CONVERSION_GPUTOPTX_EMULATEDDEVICE_H */
