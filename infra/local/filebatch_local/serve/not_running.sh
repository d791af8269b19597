# Evaluated by `eval "$(make -s env)"` where no local AWS runs: what is typed next was meant for it, and for no other.
unalias aws 2>/dev/null || :
eval 'aws() {
  echo "aws: blocked: no local AWS runs, so this shell did not become one of it." \
    "make aws, then eval \"\$(make -s env)\" again; or unset -f aws" >&2
  return 1
}'
aws
