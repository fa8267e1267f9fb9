// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
//
// telelink links a robot to remote people. This header is its C++17 interface; read it, and the headers it includes in
// the order below, from top to bottom, and you know all of it.
//
//   #include <telelink/telelink.hpp>
//
//   int main() {
//     telelink::Context context;
//     telelink::SessionOptions options;
//     options.url = "ws://127.0.0.1:7880";
//     options.token = read_token();
//     auto session = telelink::Session::start(context, std::move(options));
//     if (!session) { std::cerr << session.error().message << '\n'; return 1; }
//
//     auto battery = context.channel("/battery", telelink::json());
//     while (running) battery->log(R"({"percent": 81})");
//   }
//
// Words. A *context* has *channels*; the robot logs messages to them. A *session* carries what is logged to the
// *viewers* in a LiveKit room, and brings back what they subscribe to, publish and call.
//
// Errors. Nothing here throws. What can fail returns a Result<T>: `if (!result)` and then `result.error()`, whose
// message says what was wrong and with which argument. Only Channel::log() and the answers of a responder return a
// plain Status, because a robot's loop seldom looks at it. Compiles with -fno-exceptions and -fno-rtti, and objects
// compiled with and without exceptions can be linked together.
//
// Lifetimes. Context, Channel, Session, Client and ServiceResponder own an object of the library and are moved, not
// copied; one that was moved from answers Status::null_argument. They may be destroyed in any order. Types named
// ...View, Bytes and the structs given to callbacks own nothing and say how long they live.
//
// Threads. Every method may be called from every thread and from every callback; but an object must not be destroyed or
// moved while another thread uses it. Callbacks run on threads of the library, so what they share with the rest of your
// program needs a lock. Nothing here may be called from a signal handler, nor in a child after fork().
#pragma once

// In the order of reading:
// clang-format off
#include <telelink/result.hpp>           // Status, Error, Result<T>
#include <telelink/bytes.hpp>            // Bytes: what a message is made from
#include <telelink/schema.hpp>           // json(), json_schema(), protobuf(), ros2msg(): how messages are written
#include <telelink/channel.hpp>          // Channel: log()
#include <telelink/video.hpp>            // VideoSource: push(); codecs and encoders
#include <telelink/context.hpp>          // Context: channel(), video_source()
#include <telelink/client.hpp>           // viewers, and what they publish
#include <telelink/service.hpp>          // what viewers can call
#include <telelink/graph.hpp>            // ConnectionGraph: which nodes are connected by what
#include <telelink/asset.hpp>            // files that viewers can fetch
#include <telelink/rights.hpp>           // Rights: who may do what
#include <telelink/lease.hpp>            // ControlLease: one viewer at a time holds control
#include <telelink/parameter.hpp>        // values that viewers read, set and follow
#include <telelink/parameter_store.hpp>  // ParameterStore: declare()
#include <telelink/session_options.hpp>  // SessionOptions and SessionCallbacks
#include <telelink/session_stats.hpp>    // SessionStats: figures
#include <telelink/session.hpp>          // Session: start()
#include <telelink/mcap_writer.hpp>      // McapWriter: start(), what is logged, in a file
#include <telelink/log.hpp>              // the library's own log
#include <telelink/thread.hpp>           // set_thread_hook(): affinity and priority of the library's threads
#include <telelink/memory.hpp>           // set_malloc_arenas(): for small robots
// clang-format on

// Not included: <telelink/testing.hpp>, an in-memory room for your tests.
