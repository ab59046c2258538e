import { compiled } from '../../../../../shared/util/compiled.js'

/** Bound to the exact engine: a data directory of another build of Postgres would not open. Moves with package.json. */
export const ENGINE_VERSION = '0.5.14'

/** The packed template, beside this module in the built package. The number after the version is its own. */
export const TEMPLATE_FILE = compiled(`./template-${ENGINE_VERSION}-1.bin`, import.meta.url)
