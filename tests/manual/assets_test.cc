// The code of docs/assets.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <string>
#include <string_view>

namespace {

std::string calibration_of(std::string_view camera) {
  return "focal length of " + std::string{camera};
}

TEST(Assets, ComeFromTheHandlerAndTheFolder) {
  Page page;
  auto& options = page.options;
  options.asset_folder = telelink::AssetFolder{}
                             .package("my_robot", "/opt/my_robot/share")  // package://my_robot/urdf/robot.urdf
                             .file_root("/srv/meshes");                   // file:///srv/meshes/tool.glb
  options.asset_handler = [](const telelink::AssetRequest& request, telelink::AssetResponder responder) {
    if (request.uri == "calibration://front")
      responder.respond(calibration_of("front"));
    else
      responder.fail("there is no such asset");
  };
  page.start();
  const auto calibration = page.viewer->fetch_asset("calibration://front");
  ASSERT_TRUE(calibration) << calibration.error().message;
  EXPECT_FALSE(calibration->failed) << calibration->message;
  EXPECT_EQ(calibration->payload, "focal length of front");
  const auto nothing = page.viewer->fetch_asset("calibration://back");
  ASSERT_TRUE(nothing) << nothing.error().message;
  EXPECT_EQ(nothing->message, "there is no such asset");
  const auto outside = page.viewer->fetch_asset("package://my_robot/../../etc/passwd.png");
  ASSERT_TRUE(outside) << outside.error().message;
  EXPECT_TRUE(outside->failed);
}

}  // namespace
