package sandbox

// #cgo CFLAGS: -std=gnu11 -Wall -Wextra -Werror
import "C"
