// Versions of decoded code in which operations come by an observer first.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

// The version of one function. An operation that is observed has the observer's handler as its
// `run`, which at its end jumps to `work` of the same index.
struct ObservedCode : Code {
  std::size_t number = 0;         // counted from 0 in the order of being made, per program
  std::vector<Handler> handlers;  // that do the work; Code::work points here
};

// Copies what a version has in common with the original. `pieces` and `reasons`, which operations
// point to, stay with the original, which must live as long.
void copy_code(const Code& from, ObservedCode& to);

// The handler that does the work of an operation of `code`, also where an observer's runs first.
[[nodiscard]] inline Handler handler_of(const Code& code, const Op& op) {
  return code.work == nullptr ? op.run : code.work[&op - code.ops.data()];
}

// True where an operation is put off until other lanes come to it; it is executed again when they
// are there. `lanes` are those that are active.
[[nodiscard]] bool puts_off(Warp& warp, const Op* op, Meeting meeting, std::uint32_t lanes);

// The versions of a program's functions for one observer. `Version` is an ObservedCode with
// `void observe(ObservedVersions&)`, which puts handlers in place; calls are redirected to versions
// by it.
template <class Version>
class ObservedVersions {
 public:
  Version& of(const Code& code) {
    const std::lock_guard lock(mutex_);
    return make(code);
  }
  // By ObservedCode::number.
  [[nodiscard]] std::vector<const Version*> all() {
    const std::lock_guard lock(mutex_);
    std::vector<const Version*> result(versions_.size());
    for (const auto& [from, code] : versions_) result[code->number] = code.get();
    return result;
  }

 private:
  Version& make(const Code& from) {
    auto& place = versions_[&from];
    if (place != nullptr) return *place;
    place = std::make_unique<Version>();
    Version& code = *place;
    code.number = versions_.size() - 1;
    copy_code(from, code);
    code.observe();
    for (std::size_t i = 0; i < code.ops.size(); ++i) {
      if (code.operations[i] != Operation::call) continue;
      const Code& callee = make(*reinterpret_cast<const Code*>(code.ops[i].imm));
      code.ops[i].imm = static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(&callee));
    }
    return code;
  }

  std::mutex mutex_;
  std::unordered_map<const Code*, std::unique_ptr<Version>> versions_;
};

}  // namespace softgpu
