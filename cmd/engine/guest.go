//go:build cgo

package main

import "github.com/p11mux/p11mux/internal/capi"

func init() { capi.InGuest() }
