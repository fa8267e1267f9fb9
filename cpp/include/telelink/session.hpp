// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/channel.hpp>
#include <telelink/client.hpp>
#include <telelink/context.hpp>
#include <telelink/detail/callback.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/session_tables.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/graph.hpp>
#include <telelink/parameter.hpp>
#include <telelink/result.hpp>
#include <telelink/service.hpp>
#include <telelink/session_options.hpp>
#include <telelink/session_stats.hpp>
#include <telelink/telelink.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telelink {

/// How serious a published status is.
enum class StatusLevel : std::int32_t {
  info = 0,     ///< for information
  warning = 1,  ///< something needs attention
  error = 2,    ///< something is broken
};

/// The name of a level, for people; "unknown" for a number that is none.
constexpr std::string_view to_string(StatusLevel level) noexcept {
  switch (level) {
    case StatusLevel::info:
      return "info";
    case StatusLevel::warning:
      return "warning";
    case StatusLevel::error:
      return "error";
  }
  return "unknown";
}

/// A link between a context and the viewers in a LiveKit room. The destructor closes it and waits until running
/// callbacks have returned; destroyed inside a callback, it does not wait, and the rest is finished after that
/// callback.
///
/// Thread-safe; everything may be called from callbacks too.
class Session {
 public:
  /// Starts a session: joins the room in the background, and joins again when it is lost. Returns without waiting for
  /// it; SessionCallbacks::on_status and status() tell how it goes.
  ///
  /// Everything logged to the context's channels, made before or after, goes to the viewers in that room.
  ///
  /// @return the session; or why not: Status::invalid_value and Status::invalid_utf8 (the message names the option),
  ///         Status::null_argument (the context or the parameter store was moved from), Status::library_missing (it
  ///         names the paths tried), Status::unsupported_version
  template <class Mode = detail::Mode>
  static Result<Session> start(const Context& context, SessionOptions options) {
    if (telelink_abi_version() != TELELINK_ABI_VERSION) {
      return Error{Status::unsupported_version, "this program was compiled for ABI " +
                                                    std::to_string(TELELINK_ABI_VERSION) +
                                                    " of telelink, the library " + telelink_version() + " has ABI " +
                                                    std::to_string(telelink_abi_version())};
    }
    if (options.parameter_store && options.parameter_store->c() == nullptr) {
      return Error{Status::null_argument, "options.parameter_store was moved from"};
    }
    detail::SessionTables<Mode> tables{std::move(options)};
    telelink_session* session = nullptr;
    if (const auto status = telelink_session_create(context.c(), tables.release(), &session);
        status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    return Session{session};
  }

  /// State of the connection now.
  ConnectionStatus status() const noexcept {
    return static_cast<ConnectionStatus>(telelink_session_status(handle_.get()));
  }

  /// Why the connection is not up, or was lost the last time.
  std::optional<Error> last_error() const {
    const auto status = telelink_session_last_error(handle_.get());
    if (status == TELELINK_STATUS_OK) return std::nullopt;
    return detail::last_error(status);
  }

  /// Leaves the room and waits until it has been left and running callbacks have returned, at most `timeout`; 0 does
  /// not wait. Status::timeout when it took longer (it goes on) and, at once, inside a callback of telelink, of
  /// whatever session: that callback may be what the end waits for.
  Result<void> close(std::chrono::milliseconds timeout = std::chrono::seconds{10}) const {
    return detail::check(telelink_session_close(handle_.get(), detail::wait_milliseconds(timeout)));
  }

  /// Joins again after the idle window has ended the room; in a room, starts the countdown anew. Does not wait for the
  /// join.
  Result<void> resume() const { return detail::check(telelink_session_resume(handle_.get())); }

  /// Offers one more service. Status::duplicate when there is one of that name.
  template <class Mode = detail::Mode>
  Result<void> add_service(Service service) const {
    std::vector<Service> services;
    services.push_back(std::move(service));
    return add_services<Mode>(std::move(services));
  }

  /// Offers more services: all or none. Status::invalid_value names one that viewers cannot be shown: a text schema
  /// that is not UTF-8, a schema above 8 MiB, more than a message of 16 MiB holds.
  template <class Mode = detail::Mode>
  Result<void> add_services(std::vector<Service> services) const {
    detail::ServiceTables<Mode> tables{std::move(services)};
    return detail::check(telelink_session_add_services(handle_.get(), tables.release(), tables.size()));
  }

  /// Withdraws a service. Running calls go on and may still be answered. An unknown name is ignored.
  Result<void> remove_service(std::string_view name) const {
    const auto view = detail::view(name);
    return detail::check(telelink_session_remove_services(handle_.get(), &view, 1));
  }

  /// Withdraws services, which viewers are told in one message. Unknown names are ignored.
  Result<void> remove_services(const std::vector<std::string>& names) const {
    const auto views = detail::views(names);
    return detail::check(telelink_session_remove_services(handle_.get(), views.data(), views.size()));
  }

  /// Shows a status text of up to 8 KiB to every viewer. With an `id`, of up to 256 bytes, it replaces the one of that
  /// id, and can be removed. Status::invalid_value for longer ones.
  Result<void> publish_status(StatusLevel level, std::string_view message, std::string_view id = {}) const {
    return detail::check(telelink_session_publish_status(handle_.get(), static_cast<std::int32_t>(level),
                                                         detail::view(message), detail::view(id)));
  }

  /// Removes a status.
  Result<void> remove_status(std::string_view id) const {
    const auto view = detail::view(id);
    return detail::check(telelink_session_remove_status(handle_.get(), &view, 1));
  }

  /// Removes statuses; unknown ids are ignored.
  Result<void> remove_status(const std::vector<std::string>& ids) const {
    const auto views = detail::views(ids);
    return detail::check(telelink_session_remove_status(handle_.get(), views.data(), views.size()));
  }

  /// Replaces the connection graph. Viewers that follow it get what has changed; it is kept, across rooms too, for
  /// those that follow it later. Works before there is a room. Status::not_supported without
  /// Capabilities::connection_graph, Status::invalid_value beyond 262,144 names and ids or 8,000,000 bytes of JSON.
  Result<void> publish_connection_graph(const ConnectionGraph& graph) const {
    const auto c = detail::graph_of(graph);
    if (!c) return c.error();
    return detail::check(telelink_session_publish_connection_graph(handle_.get(), c->get()));
  }

  /// Tells viewers new values of parameters: each viewer those that it follows. A ParameterStore does this by itself.
  /// Status::not_supported without Capabilities::parameters; Status::invalid_value when one cannot be sent.
  Result<void> publish_parameter_values(const std::vector<Parameter>& parameters) const {
    const detail::ParameterTables tables{parameters};
    return detail::check(telelink_session_publish_parameter_values(handle_.get(), tables.data(), tables.size()));
  }

  /// A registered viewer by its number. Status::not_found when it has left.
  Result<Client> client(std::uint32_t id) const {
    telelink_client* client = nullptr;
    if (const auto status = telelink_session_client(handle_.get(), id, &client); status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    return Client{client};
  }

  /// Figures of the session, each viewer and each channel.
  Result<SessionStats> stats() const {
    const auto snapshot = detail::SessionSnapshot::of(handle_.get());
    if (!snapshot) return snapshot.error();
    return snapshot->stats();
  }

  /// The figures in Prometheus' text format 0.0.4; serve it as `text/plain; version=0.0.4; charset=utf-8`. `labels` are
  /// put on every series, for example {{"robot", "digger-7"}}; Status::invalid_value for a name that Prometheus does
  /// not allow or that is taken.
  Result<std::string> prometheus(const std::map<std::string, std::string>& labels = {}) const {
    const auto snapshot = detail::SessionSnapshot::of(handle_.get());
    if (!snapshot) return snapshot.error();
    return snapshot->prometheus(labels);
  }

  /// The object of C behind this one.
  const telelink_session* c() const noexcept { return handle_.get(); }

 private:
  explicit Session(telelink_session* session) noexcept : handle_{session} {}

  detail::Handle<telelink_session, telelink_session_free> handle_;
};

}  // namespace telelink
