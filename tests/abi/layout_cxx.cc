// The checks of layout.h as C++.
#include "layout.h"
