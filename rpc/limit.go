package rpc

// Limits of what a peer can make this end hold in memory. Nothing is allocated before what it is for has been checked
// against what has arrived.
const (
	// MaxMessage is the longest message that is read or written, in octets.
	MaxMessage = 16 << 20

	maxOptions    = 64 << 10        // octets of a frame that nobody looks at
	maxResult     = MaxMessage - 64 // octets of one result, with what is around it
	maxDepth      = 8               // templates within templates
	maxAttributes = 1 << 14         // in one message
	maxRoom       = 1 << 20         // octets that are made ready for a result that is not known yet
	maxList       = 1 << 17         // the same for elements of lists

	absent    = 0xffffffff // the length of a blob that is not there; room for nothing
	maxBlob   = 0x7fffffff
	maxNumber = 0x0fffffff // elements of a list that peers give room for
)
