import { register } from 'node:module'

/** Loaded before a command: it fails if it loads Express. */
const HOOK = `export function resolve(specifier, context, next) {
  if (specifier === 'express') throw new Error('Express was loaded')
  return next(specifier, context)
}`

register(`data:text/javascript,${encodeURIComponent(HOOK)}`)
