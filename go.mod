module github.com/p11mux/p11mux

go 1.26
