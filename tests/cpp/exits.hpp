// Ways in which a program with telelink ends, each in a process of its own; on the memory room and on a real server.
#pragma once

#include "support.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace support {

/// Exit codes that say which step failed; a child has no GoogleTest to tell.
inline void must(bool good, int step) {
  if (!good) std::_Exit(100 + step);
}

/// Two robots' worth of everything: contexts, sessions that are connected, and a thread that logs without end.
class Busy {
 public:
  /// @param first, second  options of two robots with different identities or rooms
  explicit Busy(telelink::SessionOptions first, telelink::SessionOptions second) {
    auto connected = std::make_shared<Count>();
    for (auto* options : {&first, &second}) {
      options->callbacks.on_status = [connected](telelink::ConnectionStatus status, const telelink::Error*) {
        if (status == telelink::ConnectionStatus::connected) connected->add();
      };
      contexts_.emplace_back();
      auto session = telelink::Session::start(contexts_.back(), std::move(*options));
      must(bool(session), 1);
      sessions_.push_back(std::move(*session));
    }
    must(connected->wait(2), 2);
    for (const auto& context : contexts_) {
      auto channel = context.channel("/count", telelink::json());
      must(bool(channel), 3);
      loggers_.emplace_back([this, channel = std::move(*channel)] {
        while (!ending_)
          channel.log("1");
      });
    }
  }

  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

  ~Busy() {
    ending_ = true;
    for (auto& logger : loggers_)
      logger.join();
  }

  std::vector<telelink::Session>& sessions() { return sessions_; }

 private:
  std::vector<telelink::Context> contexts_;
  std::vector<telelink::Session> sessions_;
  std::atomic<bool> ending_{false};
  std::vector<std::thread> loggers_;
};

/// Makes options of the robot of this number.
using Options = std::function<telelink::SessionOptions(int)>;

/// Leaves by exit() with sessions connected, and threads in the middle of log().
[[noreturn]] inline void exit_while_busy(const Options& options) {
  auto* busy = new Busy(options(1), options(2));
  must(busy->sessions().size() == 2, 4);
  std::exit(0);
}

/// The same by SIGTERM, which nobody handles.
[[noreturn]] inline void terminate_while_busy(const Options& options) {
  new Busy(options(1), options(2));
  std::raise(SIGTERM);
  std::_Exit(105);
}

/// A program that waits for SIGTERM, closes its sessions and returns.
[[noreturn]] inline void close_on_sigterm(const Options& options) {
  // Before the first thread: all of them inherit it.
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  must(pthread_sigmask(SIG_BLOCK, &term, nullptr) == 0, 5);
  {
    Busy busy(options(1), options(2));
    must(kill(getpid(), SIGTERM) == 0, 6);
    int number = 0;
    must(sigwait(&term, &number) == 0 && number == SIGTERM, 7);
    for (auto& session : busy.sessions()) {
      must(bool(session.close(std::chrono::seconds{20})), 8);
      must(session.status() == telelink::ConnectionStatus::shutdown, 9);
    }
  }
  std::exit(0);
}

/// Statics that are made before anything of telelink, and so are destroyed after telelink has seen the exit.
[[noreturn]] inline void exit_with_statics_older_than_the_library(const Options& options) {
  static std::optional<Busy> busy;
  busy.emplace(options(1), options(2));
  std::exit(0);
}

/// Statics that are made when telelink is in use already, and so are destroyed before.
[[noreturn]] inline void exit_with_statics_younger_than_the_library(const Options& options) {
  auto* older = new Busy(options(1), options(2));
  must(older->sessions().size() == 2, 10);
  static std::optional<Busy> busy;
  busy.emplace(options(3), options(4));
  std::exit(0);
}

/// A child that leaves by exit(), and one that becomes another program. The parent goes on.
[[noreturn]] inline void fork_while_busy(const Options& options) {
  // Not static: a child that destroyed this would wait for threads that only its parent has.
  auto* busy = new Busy(options(1), options(2));
  for (const bool becomes_another : {false, true}) {
    const pid_t child = fork();
    must(child >= 0, 11);
    if (child == 0) {
      if (becomes_another) execl("/bin/true", "true", nullptr);
      const auto closed = busy->sessions()[0].close(std::chrono::seconds{1});
      must(!closed && closed.error().status == telelink::Status::closed, 12);
      std::exit(0);
    }
    int status = 0;
    must(waitpid(child, &status, 0) == child, 13);
    must(WIFEXITED(status) && WEXITSTATUS(status) == 0, 14);
  }
  for (auto& session : busy->sessions()) {
    must(session.status() == telelink::ConnectionStatus::connected, 15);
    must(bool(session.close(std::chrono::seconds{20})), 16);
  }
  std::exit(0);
}

}  // namespace support
