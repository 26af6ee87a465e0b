"""Pure mathematics on tensors: what a table, a form, a stack of states looks like from inside."""
