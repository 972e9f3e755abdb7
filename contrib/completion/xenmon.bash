# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion for xenmon and xenbaked: the program says what there is to complete.
eval "$(xenmon completion bash 2>/dev/null)"
