// The backward pass: statistics of the queries and a kernel by queries for dq and dtau, by warpgroups one
// kernel; then kernels by keys for dk, dv and du. Every result has one writer, at the price of computing the
// weights twice.
#include "compiler/conversion/SparseKToGPU/AttentionBackward.h"
#include "compiler/conversion/SparseKToGPU/WarpgroupKeyParts.h"

namespace heddle::gpu::attention {

PairSlope PairSlopes::of(const QuerySide &query, const KeySide &key, Scalar product, Scalar along, Scalar lse,
                         Scalar shared) {
  KernelCode &k = t.k;
  Scalar scaled = product * scale;
  Pair pair = pairs.pair(query, key, scaled);
  Scalar weight = t.power(pair.score - lse);
  if (pair.seen.value) // what a pair that is not seen holds may not be finite
    weight = k.select(pair.seen, weight, t.number(0));
  Scalar dscore = weight * ((pair.gate.value ? pair.gate * along : along) - shared), dgate = weight * along;
  if (pair.seen.value) {
    dscore = k.select(pair.seen, dscore, t.number(0));
    dgate = k.select(pair.seen, dgate, t.number(0));
  }
  PairAdjoint adjoint = pairs.adjoint(pair, scaled, dscore, dgate);
  return {pair.gate.value ? weight * pair.gate : weight, adjoint.product, adjoint.sums};
}

void emitBackward(ProgramBuilder &builder, const AttentionSpec &spec, const Target &target) {
  const auto warpgroups = WarpgroupPlan::of(spec, target, Pass::QueryGradients);
  const int64_t tile = warpgroups ? warpgroups->tile() : 64;
  const Plan queries = makePlan(spec, target, Pass::QueryGradients, tile);
  Plan keys = makePlan(spec, target, Pass::KeyGradients);
  keys.chunk = queries.chunk; // of one list
  keys.slotStride = queries.slotStride;
  const auto keyWarpgroups = warpgroups ? KeyWarpgroupPlans::of(spec, target) : std::nullopt;
  Choice &taken = builder.program.taken;
  taken = {{"warpgroups", warpgroups ? warpgroups->warpgroups : 0},
           {"chunk", queries.chunk},
           {"partial_mib", queries.partialBytes >> 20},
           {"query_block", warpgroups ? warpgroups->block : queries.walk.block},
           {"query_stages", warpgroups ? warpgroups->valueStages : queries.walk.stages}};
  if (!keyWarpgroups) {
    taken.set("key_block", keys.walk.block);
    taken.set("key_stages", keys.walk.stages);
  }
  KeyLists lists;
  if (queries.spec.topk > 0)
    lists = emitKeyLists(builder, queries, ChunkOrder::FullFirst);
  KeyWork work;
  if (keyWarpgroups)
    work = emitKeyWork(builder, keys, lists);
  QuerySides sides;
  if (warpgroups) {
    sides = emitQueryGradients(builder, queries, *warpgroups, lists, target);
  } else {
    sides.statistics = emitStatistics(builder, queries);
    emitQueryGradients(builder, queries, lists, sides.statistics);
  }
  if (keyWarpgroups)
    emitKeyGradients(builder, keys, *keyWarpgroups, lists, sides, work, target);
  else
    emitKeyGradients(builder, keys, lists, sides.statistics);
}

} // namespace heddle::gpu::attention
