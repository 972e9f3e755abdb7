/* SPDX-License-Identifier: MIT */
#include "front/chart.h"
