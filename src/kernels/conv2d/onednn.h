// Convolutions by oneDNN 3.2. They throw dnnl::error where it refuses.
#pragma once

#include "conv2d/conv2d.h"

namespace yolox {

// y = x * filter + bias; `bias` may be null.
void onednn_forward(const Workspace& space, const Conv2dShape& shape, const float* x, const float* filter,
                    const float* bias, float* y);

// y = SiLU(x * filter + bias)
void onednn_forward_silu(const Workspace& space, const Conv2dShape& shape, const float* x, const float* filter,
                         const float* bias, float* y);

void onednn_input_grad(const Workspace& space, const Conv2dShape& shape, const float* dy, const float* filter,
                       float* dx);

// `dbias` may be null.
void onednn_filter_grad(const Workspace& space, const Conv2dShape& shape, const float* x, const float* dy,
                        float* dfilter, float* dbias);

}  // namespace yolox
