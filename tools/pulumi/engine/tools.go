//go:build tools

// Package tools pins the Pulumi engine that set-up builds where it cannot be downloaded.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
