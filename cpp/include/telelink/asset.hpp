// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/bytes.hpp>
#include <telelink/client.hpp>
#include <telelink/detail/callback.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/telelink.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telelink {

namespace detail {
template <class Mode>
class AssetTables;
}

/// One request for an asset. Owns nothing: valid during the callback.
struct AssetRequest {
  ClientView client{nullptr};  ///< who asks
  /// Exactly as the viewer wrote it: `package://...`, `file://...`, anything. It is hostile: files are better served by
  /// an AssetFolder.
  std::string_view uri = {};
};

/// Answers one request for an asset: once, from any thread, also after the callback has returned, also after the
/// session has gone. Destroyed unanswered, it tells the viewer that the request was dropped. Answers to a viewer that
/// has left go nowhere and are Status::ok; a second answer is Status::already_responded.
class AssetResponder {
 public:
  /// Answers with the asset, which is copied. Over 16 MiB - 10 bytes the viewer gets an error instead.
  Status respond(Bytes data) const noexcept {
    return static_cast<Status>(telelink_asset_responder_respond(handle_.get(), detail::byte_view(data)));
  }

  /// Answers with an error; the viewer sees `message`.
  Status fail(std::string_view message) const noexcept {
    return static_cast<Status>(telelink_asset_responder_fail(handle_.get(), detail::view(message)));
  }

  /// Takes over an object of C.
  explicit AssetResponder(telelink_asset_responder* responder) noexcept : handle_{responder} {}

 private:
  detail::Handle<telelink_asset_responder, telelink_asset_responder_free> handle_;
};

/// Serves files of the robot: `package://` and `file://` URIs below the folders given here.
///
///     options.asset_folder = telelink::AssetFolder{}
///                                .package("my_robot", "/opt/my_robot/share")  // package://my_robot/meshes/arm.stl
///                                .file_root("/srv/meshes");                   // file:///srv/meshes/tool.glb
///
/// Served are regular files only, of at most max_size() bytes, with an allowed extension, whose real path after all
/// symbolic links lies below the folder that the URI names, or below another one given here. A link that leads
/// elsewhere is refused: the packages of a ROS workspace built with `--symlink-install` are such links, so give the
/// source tree as a file root too. Paths are percent-decoded once; `.` and `..`, queries and fragments are refused.
///
/// The folders need not exist yet. Viewers are told what was wrong without a path of the robot; the log has the path.
class AssetFolder {
 public:
  /// Serves `package://name/...` from `directory`.
  AssetFolder& package(std::string name, std::string directory) {
    packages_.emplace_back(std::move(name), std::move(directory));
    return *this;
  }

  /// Serves `file://` URIs below `directory`, an absolute path.
  AssetFolder& file_root(std::string directory) {
    file_roots_.push_back(std::move(directory));
    return *this;
  }

  /// Serves files with these extensions only, with or without the dot, without regard to case. Empty, the default:
  /// those of robot descriptions, meshes, their materials, and images.
  AssetFolder& extensions(std::vector<std::string> extensions) {
    extensions_ = std::move(extensions);
    return *this;
  }

  /// Serves files whatever their extension.
  AssetFolder& any_extension() {
    any_extension_ = true;
    return *this;
  }

  /// Largest file, bytes: 1 to 16 MiB - 10, which is the default.
  AssetFolder& max_size(std::size_t bytes) {
    max_size_ = bytes;
    return *this;
  }

 private:
  template <class Mode>
  friend class detail::AssetTables;

  std::vector<std::pair<std::string, std::string>> packages_ = {};
  std::vector<std::string> file_roots_ = {};
  std::vector<std::string> extensions_ = {};
  bool any_extension_ = false;
  std::optional<std::size_t> max_size_ = std::nullopt;
};

namespace detail {

using AssetHandler = std::function<void(const AssetRequest&, AssetResponder)>;

/// Asset handler and folder as C wants them. C takes over the handler with the call that is given it, also when it
/// fails.
template <class Mode>
class AssetTables {
 public:
  AssetTables(AssetHandler handler, std::optional<AssetFolder> folder)
      : folder_{std::move(folder)}, handler_{std::make_unique<AssetHandler>(std::move(handler))} {
    // An `_init` fails only when header and library differ; then the call that is given the struct says so.
    (void)telelink_asset_callbacks_init(&callbacks_c_, sizeof callbacks_c_);
    callbacks_c_.on_fetch = &on_fetch;
    if (folder_) fill_folder();
  }

  AssetTables(const AssetTables&) = delete;
  AssetTables& operator=(const AssetTables&) = delete;

  /// Names the tables in the options, with the handler given away. Call it inside the call to C.
  void release(telelink_session_options& options) noexcept {
    if (*handler_) {
      callbacks_c_.context = handler_.release();
      callbacks_c_.drop = &Contain<Mode>::template drop<AssetHandler>;
      options.asset_callbacks = &callbacks_c_;
    }
    if (folder_) options.asset_folder = &folder_c_;
  }

 private:
  static void on_fetch(void* context, const telelink_asset_request* request,
                       telelink_asset_responder* responder) noexcept {
    Contain<Mode>::run("an asset handler", [&] {
      AssetResponder answer{responder};
      const AssetRequest fetch{ClientView{request->client}, text(request->uri)};
      (*static_cast<const AssetHandler*>(context))(fetch, std::move(answer));
    });
  }

  void fill_folder() {
    (void)telelink_asset_folder_init(&folder_c_, sizeof folder_c_);
    packages_.reserve(folder_->packages_.size());
    for (const auto& [name, directory] : folder_->packages_)
      packages_.push_back(telelink_asset_package{view(name), view(directory)});
    file_roots_ = views(folder_->file_roots_);
    extensions_ = views(folder_->extensions_);
    folder_c_.packages = packages_.data();
    folder_c_.packages_count = packages_.size();
    folder_c_.file_roots = file_roots_.data();
    folder_c_.file_roots_count = file_roots_.size();
    folder_c_.extensions = extensions_.data();
    folder_c_.extensions_count = extensions_.size();
    folder_c_.any_extension = folder_->any_extension_ ? 1 : 0;
    if (folder_->max_size_) folder_c_.max_size = *folder_->max_size_;
  }

  std::optional<AssetFolder> folder_;
  std::unique_ptr<AssetHandler> handler_;
  std::vector<telelink_asset_package> packages_ = {};
  std::vector<telelink_str> file_roots_ = {};
  std::vector<telelink_str> extensions_ = {};
  telelink_asset_callbacks callbacks_c_ = {};
  telelink_asset_folder folder_c_ = {};
};

}  // namespace detail
}  // namespace telelink
