# What holds for the tree itself: layers, sizes, banned calls, nothing left out.
TREE_TESTS = check/tree/banned.sh check/tree/documented.sh check/tree/events.sh check/tree/layers.sh check/tree/listed.sh \
	check/tree/operator.sh check/tree/problems.sh check/tree/shell.sh check/tree/size.sh
dist_check_SCRIPTS += $(TREE_TESTS)
TESTS += $(TREE_TESTS)
EXTRA_DIST += check/tree/tap.sh .ci/run
