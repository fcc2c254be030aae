// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Structs of tensors as the host sees them: the leaves in declaration order, named by their path.
#ifndef HEDDLE_STRUCT_HPP
#define HEDDLE_STRUCT_HPP

#include <heddle/tensor.hpp>

#include <initializer_list>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace heddle {

/// An ordered list of (name, tensor). A name is the path of a leaf, "layers.attn.wq"; a struct made from one
/// tensor has one leaf with the empty name. Failures throw Error.
class Struct {
public:
  using Leaf = std::pair<std::string, Tensor>;

  Struct() = default;
  /// One tensor, so that a Tensor can be passed where a Struct is expected.
  Struct(Tensor tensor) { leaves.emplace_back("", std::move(tensor)); }
  Struct(std::initializer_list<Leaf> list) {
    for (const Leaf &leaf : list)
      add(leaf.first, leaf.second);
  }

  /// A struct of these leaves; their names must differ.
  static Struct fromLeaves(std::vector<Leaf> list) {
    std::unordered_set<std::string> names;
    for (const Leaf &leaf : list)
      if (!names.insert(leaf.first).second)
        throw Error(HEDDLE_INVALID_ARGUMENT, "the struct already has a tensor '" + leaf.first + "'");
    Struct result;
    result.leaves = std::move(list);
    return result;
  }

  size_t size() const { return leaves.size(); }
  bool empty() const { return leaves.empty(); }
  auto begin() const { return leaves.begin(); }
  auto end() const { return leaves.end(); }
  const Leaf &leaf(size_t index) const {
    if (index >= leaves.size())
      throw Error(HEDDLE_INVALID_ARGUMENT, "there is no leaf " + std::to_string(index) + " in a struct of " +
                                               std::to_string(leaves.size()));
    return leaves[index];
  }

  /// The tensor of a name, null if there is none.
  const Tensor *find(const std::string &name) const {
    for (const Leaf &leaf : leaves)
      if (leaf.first == name)
        return &leaf.second;
    return nullptr;
  }
  bool contains(const std::string &name) const { return find(name) != nullptr; }
  const Tensor &operator[](const std::string &name) const {
    const Tensor *found = find(name);
    if (!found)
      throw Error(HEDDLE_NOT_FOUND, "there is no tensor '" + name + "'", "the struct has " + nameList());
    return *found;
  }
  /// The only tensor.
  const Tensor &tensor() const {
    if (leaves.size() != 1)
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  "a struct of " + std::to_string(leaves.size()) + " tensors was used as one tensor",
                  "choose one by its name: the struct has " + nameList());
    return leaves[0].second;
  }
  operator const Tensor &() const { return tensor(); }

  /// Appends a leaf; its name must be new.
  void add(const std::string &name, Tensor tensor) {
    if (contains(name))
      throw Error(HEDDLE_INVALID_ARGUMENT, "the struct already has a tensor '" + name + "'");
    leaves.emplace_back(name, std::move(tensor));
  }
  /// Replaces the tensor of a name that is there, or appends it.
  void set(const std::string &name, Tensor tensor) {
    for (Leaf &leaf : leaves)
      if (leaf.first == name) {
        leaf.second = std::move(tensor);
        return;
      }
    leaves.emplace_back(name, std::move(tensor));
  }
  /// Appends all leaves of another struct as `prefix.name` (`prefix` alone for an empty name).
  void add(const std::string &prefix, const Struct &other) {
    for (const Leaf &leaf : other.leaves)
      add(leaf.first.empty() ? prefix : prefix + "." + leaf.first, leaf.second);
  }
  /// The leaves below `prefix`, without it: what add(prefix, other) appended. Empty if there are none.
  Struct below(const std::string &prefix) const {
    Struct result;
    for (const Leaf &leaf : leaves)
      if (leaf.first == prefix)
        result.leaves.emplace_back("", leaf.second);
      else if (leaf.first.size() > prefix.size() && leaf.first.compare(0, prefix.size(), prefix) == 0 &&
               leaf.first[prefix.size()] == '.')
        result.leaves.emplace_back(leaf.first.substr(prefix.size() + 1), leaf.second);
    return result;
  }
  /// The same names with other tensors, in order.
  Struct with(std::span<Tensor> tensors) const {
    if (tensors.size() != leaves.size())
      throw Error(HEDDLE_INVALID_ARGUMENT, std::to_string(tensors.size()) +
                                               " tensors were given for a struct of " +
                                               std::to_string(leaves.size()));
    Struct result;
    result.leaves.reserve(leaves.size());
    for (size_t i = 0; i < leaves.size(); ++i)
      result.leaves.emplace_back(leaves[i].first, std::move(tensors[i]));
    return result;
  }
  /// Lets go of every tensor and keeps the names; to read one afterwards is an error.
  void release() {
    for (Leaf &leaf : leaves)
      leaf.second = Tensor();
  }
  /// Every tensor on the device, copied where it lies elsewhere.
  Struct to(Device device) const {
    Struct result;
    for (const Leaf &leaf : leaves)
      result.leaves.emplace_back(leaf.first, leaf.second.to(device));
    return result;
  }
  /// A copy of every tensor.
  Struct clone() const {
    Struct result;
    for (const Leaf &leaf : leaves)
      result.leaves.emplace_back(leaf.first, leaf.second.clone());
    return result;
  }

private:
  /// "'a', 'b' and 3 more", for messages.
  std::string nameList() const {
    constexpr size_t most = 8;
    std::string text;
    for (size_t i = 0; i < leaves.size() && i < most; ++i)
      text += (i ? ", '" : "'") + leaves[i].first + "'";
    if (leaves.size() > most)
      text += " and " + std::to_string(leaves.size() - most) + " more";
    return leaves.empty() ? "no tensors" : text;
  }

  std::vector<Leaf> leaves;
};

} // namespace heddle

#endif
