// Lints wallet.yaml, with every finding an error: `node lint.mjs`. Exits 1 and names the findings if there are any.
import { createConfig, lint } from '@redocly/openapi-core';
import { fileURLToPath } from 'node:url';

const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    // The licence of the service is not the contract's to say.
    'info-license': 'off',
    // Knows no properties outside of the very schema that requires them, as with `anyOf` in LimitRule.
    'no-required-schema-properties-undefined': 'off',
    // Four operations take nothing that could be wrong.
    'operation-4xx-response': 'off',
    'operation-description': 'error',
    'tag-description': 'error',
    'no-invalid-parameter-examples': 'error',
    'no-invalid-schema-examples': 'error',
  },
});
const findings = await lint({ ref: fileURLToPath(new URL('wallet.yaml', import.meta.url)), config });
for (const { ruleId, message, location } of findings) {
  console.error(`${location?.[0]?.pointer ?? ''}: ${message} (${ruleId})`);
}
process.exit(findings.length > 0 ? 1 : 0);
