# SPDX-License-Identifier: MIT
# Completion for xenmon and xenbaked: the program says what there is to complete.
xenmon completion fish 2>/dev/null | source
