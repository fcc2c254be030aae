// Streams and events.

#include "Streams.h"

#include <algorithm>

using namespace heddle::emulator;

bool heddle::emulator::isCapturing(CUstream stream) { return stream && stream->capture; }

Queue &heddle::emulator::queueOf(CUstream stream) {
  return stream ? stream->queue : Machine::get().nullQueue;
}

CUresult heddle::emulator::put(CUstream stream, Work work) {
  if (!isCapturing(stream)) {
    Machine::get().enqueue(queueOf(stream), std::move(work));
    return CUDA_SUCCESS;
  }
  auto &nodes = stream->capture->graph->nodes;
  std::vector<size_t> after;
  for (const CUgraphNode node : stream->last)
    after.push_back(node->number);
  nodes.push_back(std::make_shared<CUgraphNode_st>(
      CUgraphNode_st{std::move(work), nodes.size(), stream != stream->capture->origin, std::move(after)}));
  stream->last = {nodes.back().get()};
  return CUDA_SUCCESS;
}

CUresult heddle::emulator::finish(CUstream stream) { return Machine::get().finish(queueOf(stream)); }

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  if (flags > CU_STREAM_NON_BLOCKING)
    return CUDA_ERROR_INVALID_VALUE;
  *stream =
      new CUstream_st(flags == CU_STREAM_NON_BLOCKING ? Queue::Kind::NonBlocking : Queue::Kind::Default);
  machine.add((*stream)->queue);
  return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  CUresult result = machine.finish();
  machine.remove(stream->queue);
  if (stream->capture && stream->capture->origin == stream)
    endCapture(*stream->capture);
  else if (stream->capture)
    stream->capture->streams.erase(stream);
  delete stream;
  return result;
}

CUresult cuStreamSynchronize(CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  return isCapturing(stream) ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : finish(stream);
}

CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  if (flags)
    return CUDA_ERROR_INVALID_VALUE;
  if (!event->capture) {
    if (isCapturing(stream))
      return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    if (!event->record)
      return CUDA_SUCCESS;
    Work work;
    work.after.push_back(event->record);
    return put(stream, std::move(work));
  }
  if (!event->capture->graph)
    return CUDA_ERROR_CAPTURED_EVENT;
  if (!stream || (stream->capture && stream->capture != event->capture))
    return CUDA_ERROR_INVALID_VALUE;
  // The capture spreads to the stream.
  stream->capture = event->capture;
  stream->capture->streams.insert(stream);
  for (CUgraphNode node : event->after)
    if (std::find(stream->last.begin(), stream->last.end(), node) == stream->last.end())
      stream->last.push_back(node);
  return CUDA_SUCCESS;
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

CUresult cuEventCreate(CUevent *event, unsigned) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  *event = new CUevent_st;
  return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent event) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  CUresult result = machine.finish();
  delete event;
  return result;
}

static Work recordOf(CUevent event) {
  Work work;
  work.event = event;
  return work;
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  if (!isCapturing(stream))
    return put(stream, recordOf(event));
  event->record = nullptr;
  event->capture = stream->capture;
  event->after = stream->last;
  return CUDA_SUCCESS;
}

CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned flags) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  if (flags != CU_EVENT_RECORD_EXTERNAL || !isCapturing(stream))
    return CUDA_ERROR_INVALID_VALUE;
  return put(stream, recordOf(event));
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent from, CUevent to) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  if (!from->record || !to->record)
    return CUDA_ERROR_INVALID_HANDLE;
  if (!from->record->reached || !to->record->reached)
    return CUDA_ERROR_NOT_READY;
  *milliseconds = std::chrono::duration<float, std::milli>(to->record->time - from->record->time).count();
  return CUDA_SUCCESS;
}

/// One piece of work is done at each question, so that a host that polls sees both answers.
CUresult cuEventQuery(CUevent event) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  if (event->capture)
    return CUDA_ERROR_CAPTURED_EVENT;
  if (!event->record || event->record->reached)
    return CUDA_SUCCESS;
  if (CUresult failed = machine.step(*event->record->queue))
    return failed;
  return CUDA_ERROR_NOT_READY;
}

CUresult cuEventSynchronize(CUevent event) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  if (event->capture)
    return CUDA_ERROR_CAPTURED_EVENT;
  while (event->record && !event->record->reached)
    if (CUresult failed = machine.step(*event->record->queue))
      return failed;
  return CUDA_SUCCESS;
}
