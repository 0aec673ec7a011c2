import { createRequire } from "node:module";

interface Debuggable {
  debuggablePromise: (...args: unknown[]) => unknown;
}

// Of a module of the SDK that is not part of its types.
const debuggable = createRequire(__filename)("@pulumi/pulumi/runtime/debuggable") as Debuggable;
const { debuggablePromise } = debuggable;

/**
 * Keeps the SDK from formatting a stack trace for each promise, of which a container has three hundred: with many gateways that is
 * half of the program's time (docs/decisions/0037-scale.md). Errors keep theirs.
 */
if (!process.env.PULUMI_DEBUG_PROMISE_LEAKS) {
  debuggable.debuggablePromise = (...args) => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return debuggablePromise(...args);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  };
}
