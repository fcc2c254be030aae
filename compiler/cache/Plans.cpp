//===- Plans.cpp - Measured plans of a device -----------------------------===//

#include "compiler/cache/Plans.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace heddle::cache {

/// "NVIDIA H200" as nvidia-h200.
static std::string fileNameOf(const std::string &device) {
  std::string name;
  for (char c : device)
    name += llvm::isAlnum(c) ? llvm::toLower(c) : '-';
  return name;
}

static std::optional<MeasuredPlans> parse(const std::string &text) {
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text);
  if (!value) {
    llvm::consumeError(value.takeError());
    return std::nullopt;
  }
  const llvm::json::Object *file = value->getAsObject();
  const llvm::json::Object *operations = file ? file->getObject("operations") : nullptr;
  if (!operations)
    return std::nullopt;
  MeasuredPlans plans;
  for (const auto &[operation, entry] : *operations) {
    const llvm::json::Object *fields = entry.getAsObject();
    auto text = [&](llvm::StringRef name) { return fields ? fields->getString(name) : std::nullopt; };
    auto number = [&](llvm::StringRef name) { return fields ? fields->getNumber(name) : std::nullopt; };
    auto plan = text("plan"), model = text("model");
    auto microseconds = number("microseconds"), modelMicroseconds = number("model_microseconds");
    if (!plan || !model || !microseconds || !modelMicroseconds)
      return std::nullopt;
    plans[operation.str()] = {plan->str(), model->str(), *microseconds, *modelMicroseconds};
  }
  return plans;
}

static std::string print(const std::string &device, const MeasuredPlans &plans) {
  llvm::json::Object operations;
  for (const auto &[operation, plan] : plans)
    operations[operation] = llvm::json::Object{{"plan", plan.plan},
                                               {"microseconds", plan.microseconds},
                                               {"model", plan.model},
                                               {"model_microseconds", plan.modelMicroseconds}};
  std::string text;
  llvm::raw_string_ostream(text) << llvm::formatv(
      "{0:2}\n",
      llvm::json::Value(llvm::json::Object{{"device", device}, {"operations", std::move(operations)}}));
  return text;
}

MeasuredPlans readPlans(const Store &store, const std::string &device) {
  const std::optional<std::string> text = store.readPlans(fileNameOf(device));
  if (!text)
    return {};
  if (std::optional<MeasuredPlans> plans = parse(*text))
    return *plans;
  warn("'" + (store.folder() / (fileNameOf(device) + Store::plansSuffix)).string() +
       "' is damaged: plans are chosen by models until it is measured again");
  return {};
}

void addPlans(const Store &store, const std::string &device, const MeasuredPlans &plans) {
  store.changePlans(fileNameOf(device), [&](const std::optional<std::string> &text) {
    MeasuredPlans all = text ? parse(*text).value_or(MeasuredPlans()) : MeasuredPlans();
    for (const auto &[operation, plan] : plans)
      all[operation] = plan;
    return print(device, all);
  });
}

} // namespace heddle::cache
