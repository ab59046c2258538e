/**
 * Types for the part of WebAssembly's JavaScript API that the engine uses. TypeScript has them only in its
 * DOM library, which this project does not load.
 */
declare namespace WebAssembly {
  class Module {
    readonly [Symbol.toStringTag]: 'WebAssembly.Module'
  }
  class Memory {
    readonly buffer: ArrayBuffer
  }
  class Global {
    value: unknown
  }
  class Instance {
    readonly exports: Record<string, unknown>
  }
  type Imports = Record<string, Record<string, unknown>>
  function compile(bytes: Uint8Array): Promise<Module>
  function instantiate(module: Module, imports?: Imports): Promise<Instance>
}
