// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/detail/view.hpp>
#include <telelink/telelink.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace telelink {

/// What a viewer can do that may be refused; the subject is what it does it with.
enum class Action : std::int32_t {
  subscribe = 0,  ///< see a channel; the subject is its topic
  publish = 1,    ///< publish on a channel of its own; the subject is the topic
  call = 2,       ///< call a service; the subject is its name
  get = 3,        ///< read a parameter; the subject is its name, or empty for reading all
  set = 4,        ///< set or remove a parameter; the subject is its name
  asset = 5,      ///< fetch an asset; the subject is its URI
  graph = 6,      ///< follow the connection graph; the subject is empty
};

/// The name of an action, for people; "unknown" for a number that is none.
constexpr std::string_view to_string(Action action) noexcept {
  switch (action) {
    case Action::subscribe:
      return "subscribe";
    case Action::publish:
      return "publish";
    case Action::call:
      return "call";
    case Action::get:
      return "get";
    case Action::set:
      return "set";
    case Action::asset:
      return "asset";
    case Action::graph:
      return "graph";
  }
  return "unknown";
}

/// Attribute of a viewer's token that names its role. The viewer cannot change it when its token lacks the grant
/// canUpdateOwnMetadata: tokens that carry roles must not have it. It counts as it was when the viewer was registered.
inline constexpr std::string_view role_attribute = "telelink.role";

/// What the viewers of one role may do, of what the session's capabilities offer: patterns of subjects for each action.
/// Nothing, by default. In a pattern `*` stands for any run of characters, also an empty one and across `/`; everything
/// else stands for itself.
struct RoleRules {
  std::vector<std::string> subscribe = {};  ///< topics of channels it may see
  std::vector<std::string> publish = {};    ///< topics it may publish on
  std::vector<std::string> call = {};       ///< services it may call
  std::vector<std::string> get = {};        ///< parameters it may read; of all parameters it is shown these
  std::vector<std::string> set = {};        ///< parameters it may set or remove
  std::vector<std::string> asset = {};      ///< URIs of assets it may fetch
  bool graph = false;                       ///< whether it may follow the connection graph

  /// Rules that allow everything.
  static RoleRules everything() {
    RoleRules rules;
    for (auto* patterns : {&rules.subscribe, &rules.publish, &rules.call, &rules.get, &rules.set, &rules.asset})
      patterns->emplace_back("*");
    rules.graph = true;
    return rules;
  }
};

/// What viewers may do, by role.
///
///     options.rights = telelink::Rights{};
///     options.rights->default_role.subscribe = {"/camera/*", "/battery"};
///     options.rights->roles["operator"] = telelink::RoleRules::everything();
struct Rights {
  std::map<std::string, RoleRules> roles = {};  ///< by the value of role_attribute
  RoleRules default_role = {};                  ///< of viewers without a role, or with one that is not listed
};

namespace detail {

/// Rights as C wants them. Borrows from the rights, which must stay where they are.
class RightsTables {
 public:
  void fill(const Rights& rights, telelink_session_options& options) {
    tables_.reserve(rights.roles.size() + 1);  // pointers into it stay valid
    texts_.reserve(6 * (rights.roles.size() + 1));
    for (const auto& [name, rules] : rights.roles)
      roles_.push_back(add(name, rules));
    options.roles = roles_.data();
    options.roles_count = roles_.size();
    options.default_role = add({}, rights.default_role);
  }

 private:
  const telelink_role* add(std::string_view name, const RoleRules& rules) {
    telelink_role& role = tables_.emplace_back();
    (void)telelink_role_init(&role, sizeof role);
    role.name = view(name);
    list(rules.subscribe, role.subscribe, role.subscribe_count);
    list(rules.publish, role.publish, role.publish_count);
    list(rules.call, role.call, role.call_count);
    list(rules.get, role.get, role.get_count);
    list(rules.set, role.set, role.set_count);
    list(rules.asset, role.asset, role.asset_count);
    role.graph = rules.graph ? 1 : 0;
    return &role;
  }

  void list(const std::vector<std::string>& patterns, const telelink_str*& data, std::size_t& count) {
    const auto& texts = texts_.emplace_back(views(patterns));
    data = texts.data();
    count = texts.size();
  }

  std::vector<std::vector<telelink_str>> texts_ = {};
  std::vector<telelink_role> tables_ = {};
  std::vector<const telelink_role*> roles_ = {};
};

}  // namespace detail
}  // namespace telelink
