// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/bytes.hpp>
#include <telelink/client.hpp>
#include <telelink/detail/callback.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/schema.hpp>
#include <telelink/telelink.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telelink {

/// One call of a service. Owns nothing: valid during the callback.
struct ServiceRequest {
  std::string_view service = {};   ///< name of the service
  ClientView client{nullptr};      ///< who calls
  std::string_view encoding = {};  ///< encoding of the payload
  Bytes payload = {};              ///< request bytes
  std::uint32_t call_id = 0;       ///< chosen by the viewer; two calls may have the same
};

/// Answers one call of a service: once, from any thread, also after the callback has returned, also after the session
/// has gone. Destroyed unanswered, it tells the viewer that the request was dropped. Answers to a viewer that has left
/// go nowhere and are Status::ok; a second answer is Status::already_responded.
class ServiceResponder {
 public:
  /// Answers in the declared encoding of responses, else in the request's.
  Status respond(Bytes payload) const noexcept {
    return static_cast<Status>(telelink_service_responder_respond(handle_.get(), detail::byte_view(payload)));
  }

  /// Answers in an encoding of its own.
  Status respond_encoded(std::string_view encoding, Bytes payload) const noexcept {
    return static_cast<Status>(
        telelink_service_responder_respond_encoded(handle_.get(), detail::view(encoding), detail::byte_view(payload)));
  }

  /// Answers with a failure; the viewer sees `message`.
  Status fail(std::string_view message) const noexcept {
    return static_cast<Status>(telelink_service_responder_fail(handle_.get(), detail::view(message)));
  }

  /// Takes over an object of C.
  explicit ServiceResponder(telelink_service_responder* responder) noexcept : handle_{responder} {}

 private:
  detail::Handle<telelink_service_responder, telelink_service_responder_free> handle_;
};

/// Something viewers can call.
///
/// The handler runs on threads of the session, up to 32 calls at once, also of the same service; it may block, or keep
/// the responder and return. An exception that leaves it is reported on standard error, and the viewer gets an error.
struct Service {
  /// Of equal names in SessionOptions::services the last counts, with a warning in the log; Session::add_service()
  /// answers Status::duplicate.
  std::string name = {};
  std::string type = {};                                                      ///< type name, may be empty
  std::function<void(const ServiceRequest&, ServiceResponder)> handler = {};  ///< required
  std::optional<Format> request = std::nullopt;   ///< what requests look like; others are refused
  std::optional<Format> response = std::nullopt;  ///< what responses look like
  /// A call that is unanswered for so long fails; its place is free again, and a later answer goes nowhere. 0: no
  /// limit; a negative one is refused.
  std::chrono::milliseconds timeout{0};
};

namespace detail {

using ServiceHandler = std::function<void(const ServiceRequest&, ServiceResponder)>;

/// Services as C wants them. C takes over the handlers with the call that is given them, also when it fails.
template <class Mode>
class ServiceTables {
 public:
  explicit ServiceTables(std::vector<Service> services) : services_{std::move(services)} {
    const auto count = services_.size();
    schemas_.reserve(2 * count);  // pointers into it stay valid, and into tables_
    tables_.reserve(count);
    for (auto& service : services_) {
      telelink_service c = {};
      (void)telelink_service_init(&c, sizeof c);  // fails only when header and library differ; C says so later
      c.name = view(service.name);
      c.type_name = view(service.type);
      c.request = schema(service.request);
      c.response = schema(service.response);
      if (service.handler) c.on_request = &on_request;
      c.timeout_ms = milliseconds(service.timeout);
      tables_.push_back(c);
      pointers_.push_back(&tables_.back());
      handlers_.push_back(std::make_unique<ServiceHandler>(std::move(service.handler)));
    }
  }

  ServiceTables(const ServiceTables&) = delete;
  ServiceTables& operator=(const ServiceTables&) = delete;

  /// The tables, with the handlers given away. Call it inside the call to C.
  const telelink_service* const* release() noexcept {
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      tables_[i].context = handlers_[i].release();
      tables_[i].drop = &Contain<Mode>::template drop<ServiceHandler>;
    }
    return pointers_.data();
  }

  std::size_t size() const noexcept { return tables_.size(); }

 private:
  static void on_request(void* context, const telelink_service_request* request,
                         telelink_service_responder* responder) noexcept {
    Contain<Mode>::run("a service handler", [&] {
      ServiceResponder answer{responder};
      const ServiceRequest call{text(request->service), ClientView{request->client}, text(request->encoding),
                                bytes(request->payload), request->call_id};
      (*static_cast<const ServiceHandler*>(context))(call, std::move(answer));
    });
  }

  const telelink_message_schema* schema(const std::optional<Format>& format) {
    if (!format) return nullptr;
    schemas_.push_back(telelink_message_schema{view(format->encoding), view(format->schema)});
    return &schemas_.back();
  }

  std::vector<Service> services_;
  std::vector<telelink_message_schema> schemas_ = {};
  std::vector<telelink_service> tables_ = {};
  std::vector<const telelink_service*> pointers_ = {};
  std::vector<std::unique_ptr<ServiceHandler>> handlers_ = {};
};

}  // namespace detail
}  // namespace telelink
