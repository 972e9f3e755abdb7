/* SPDX-License-Identifier: MIT */
#include "front/digest.h"
