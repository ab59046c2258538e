import { fileURLToPath } from 'node:url'

/**
 * Where a compiled file of this package is, for what cannot be imported: a worker's entry, a packed template, the page.
 *
 * Compiled code finds it beside itself. Run from the TypeScript sources (vitest), the same place under `dist/` is
 * taken, since a worker thread loads JavaScript only; `npm test` builds first.
 *
 * @param name path relative to the asking module
 * @param from the asking module's `import.meta.url`
 * @returns an absolute path
 */
export function compiled(name: string, from: string): string {
  const url = new URL(name, from).href
  return fileURLToPath(
    from.endsWith('.ts') ? url.replace(/\/(servers|shared)\/(?!.*\/(servers|shared)\/)/, '/dist/$1/') : url,
  )
}

/** Where a file or folder of `fixtures/` is: beside the sources, and beside `dist/`. @returns an absolute path */
export function fixture(name: string): string {
  const root = import.meta.url.endsWith('.ts') ? '../../fixtures/' : '../../../fixtures/'
  return fileURLToPath(new URL(`${root}${name}`, import.meta.url))
}
