// The structs of options, made inside templates: g++ 12 crashes on default members that are lists in braces.
#include "support.hpp"

#include <tuple>
#include <type_traits>

namespace {

template <class... Structs>
std::tuple<Structs...> made_in_a_template() {
  std::tuple<Structs...> structs;
  // A class with a destructor, assigned: that is where the compiler fell over.
  ((std::get<Structs>(structs) = Structs{}), ...);
  return structs;
}

TEST(Templates, OptionsCanBeMadeInThem) {
  const auto made =
      made_in_a_template<telelink::ApiKey, telelink::AssetFolder, telelink::ChannelOptions, telelink::ConnectionGraph,
                         telelink::ControlLease, telelink::IceServer, telelink::McapWriterOptions,
                         telelink::ParameterHandler, telelink::ParameterInfo, telelink::ParameterOptions,
                         telelink::Rights, telelink::RoleRules, telelink::Service, telelink::SessionCallbacks,
                         telelink::SessionOptions, telelink::VideoOptions, telelink::VideoSourceOptions>();
  EXPECT_EQ(std::get<telelink::ControlLease>(made).publish, std::vector<std::string>{"*"});

  telelink::SessionOptions options;
  const auto in_a_generic_lambda = [](auto& o) { o.control_lease = telelink::ControlLease{}; };
  in_a_generic_lambda(options);
  EXPECT_EQ(options.control_lease->set, std::vector<std::string>{"*"});
}

}  // namespace
