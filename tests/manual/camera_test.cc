// The code of docs/camera.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string_view>
#include <vector>

namespace {

int show(telelink::Context& context, const std::uint8_t* pixels, std::size_t size, telelink::Time when_it_was_taken) {
  auto camera = context.video_source("/camera/front");
  if (!camera) {
    std::cerr << camera.error().message << '\n';
    return 1;
  }

  telelink::VideoImage image;
  image.format = telelink::VideoFormat::nv12;
  image.width = 1280;
  image.height = 720;
  image.data = telelink::Bytes{pixels, size};
  image.time = when_it_was_taken;  // default: now
  if (auto pushed = camera->push(image); !pushed) std::cerr << pushed.error().message << '\n';
  return 0;
}

TEST(Camera, CanBeShownWithoutMessages) {
  Page page;
  const std::vector<std::uint8_t> black(1280 * 720 * 3 / 2, 16);
  EXPECT_EQ(show(page.context, black.data(), black.size(), std::chrono::system_clock::now()), 0);
}

TEST(Camera, OptionsAreTaken) {
  Page page;
  auto& options = page.options;
  options.video.codec = telelink::VideoCodec::h264;          // the default; on macOS VP8
  options.video.encoder = telelink::VideoEncoder::hardware;  // default: the LiveKit library's choice
  options.video.max_bitrate = 3'000'000;                     // bits per second; default: by the size
  options.video.max_framerate = 30;
  page.start();
}

TEST(Camera, DepthImagesStayMessages) {
  Page page;
  auto& options = page.options;
  telelink::ChannelOptions plain;
  plain.video = false;                                          // this channel
  options.suppress_video = [](telelink::ChannelView channel) {  // or by a rule, asked once per image channel
    return channel.topic().find("/depth") != std::string_view::npos;
  };
  const auto images = telelink::json_schema("foxglove.RawImage", "{}");
  auto one = page.context.channel("/colour", images, plain);
  ASSERT_TRUE(one) << one.error().message;
  auto two = page.context.channel("/depth", images);
  ASSERT_TRUE(two) << two.error().message;
  page.start();
  for (const auto* topic : {"/colour", "/depth"}) {
    ASSERT_TRUE(page.viewer->subscribe(topic));
    const auto watched = page.viewer->watch(topic, std::chrono::milliseconds{200});
    EXPECT_FALSE(watched) << topic;
  }
}

}  // namespace
