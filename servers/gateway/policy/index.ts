export { DIALECT_VERSIONS, type DialectVersion } from './dialect-version.js'
export { createEngine } from './engine.js'
export type {
  Decision,
  Dialect,
  Policy,
  PolicyCall,
  PolicyEngine,
  PolicyReading,
  Settlement,
  Warning,
} from './model.js'
export { PolicyRefusal, type Problem } from './problems.js'
export { policyText, readPolicy, readPolicyFile } from './read-policy.js'
