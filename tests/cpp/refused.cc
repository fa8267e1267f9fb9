// Mistakes that the compiler has to explain; tests/CMakeLists.txt says with which words.
#include <telelink/telelink.hpp>

#include <vector>

void refused();
void refused() {
  const telelink::ParameterStore store;
#ifdef GENERIC_LAMBDA
  (void)store.declare("/a", 1, telelink::ParameterOptions{}.on_change([](auto) {}));
#endif
#ifdef VECTOR_OF_SHORT
  (void)store.declare("/a", std::vector<short>{});
#endif
}
