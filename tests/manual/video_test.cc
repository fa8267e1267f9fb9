// The code of docs/video.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <cstdint>
#include <iostream>
#include <vector>

namespace {

TEST(Video, ShowsWhatIsPushed) {
  Page page;
  auto& context = page.context;
  const std::vector<std::uint8_t> black(1280 * 720 * 3 / 2, 16);
  const auto* pixels = black.data();
  const auto size = black.size();
  page.start();
  // The page's code makes the source and pushes a picture, which nobody watches yet.
  auto camera = context.video_source("/camera/front");
  telelink::VideoImage image;
  image.format = telelink::VideoFormat::nv12;
  image.width = 1280;
  image.height = 720;
  image.data = telelink::Bytes{pixels, size};
  if (auto pushed = camera->push(image); !pushed) std::cerr << pushed.error().message << '\n';
  ASSERT_TRUE(page.viewer->watch("/camera/front"));
  ASSERT_TRUE(camera->push(image));
  const auto frame = page.viewer->next_frame();
  ASSERT_TRUE(frame) << frame.error().message;
  EXPECT_EQ(frame->width, 1280u);
  EXPECT_EQ(frame->height, 720u);
}

}  // namespace
