//go:build tools

// Package tools pins Pulumi's Python language host that set-up builds where it cannot be downloaded.
package tools

import _ "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
