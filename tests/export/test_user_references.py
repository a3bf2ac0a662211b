"""Which columns hold users' ids, as far as keys say so."""

from bot.artifacts.metadata import ForeignKey, UserReference
from bot.supabase.catalog.user_references import user_references


def key(columns: str, references: str, referenced: str) -> ForeignKey:
    return ForeignKey(
        name="k",
        columns=tuple(columns.split()),
        references=references,
        referenced_columns=tuple(referenced.split()),
        on_delete="no action",
        deferrable=False,
    )


def test_a_foreign_key_to_users_is_a_reference() -> None:
    """The plain case: a column leads to auth.users.id."""
    found = user_references({"public.todos": [key("user_id", "auth.users", "id")]})

    assert found == {"public.todos": (UserReference(column="user_id", found="foreign key"),)}


def test_a_column_that_leads_to_such_a_column_is_one_too() -> None:
    """Ids travel along keys, over any number of tables, also round in a circle."""
    found = user_references(
        {
            "public.customers": [key("user_id", "auth.users", "id")],
            "public.orders": [key("customer_id", "public.customers", "user_id")],
            "public.returns": [key("buyer", "public.orders", "customer_id"), key("again", "public.returns", "buyer")],
        }
    )

    assert found["public.orders"] == (UserReference(column="customer_id", found="key path"),)
    assert found["public.returns"] == (
        UserReference(column="again", found="key path"),
        UserReference(column="buyer", found="key path"),
    )


def test_a_key_of_several_columns_counts_place_by_place() -> None:
    """Only the column that leads to the user's id is rewritten, not its neighbour."""
    found = user_references(
        {
            "public.seats": [key("tenant person", "public.members", "tenant_id user_id")],
            "public.members": [key("user_id", "auth.users", "id")],
        }
    )

    assert found["public.seats"] == (UserReference(column="person", found="key path"),)


def test_a_key_to_another_column_of_users_is_none() -> None:
    """A reference to a phone number is not rewritten as an id."""
    assert user_references({"public.calls": [key("phone", "auth.users", "phone")]}) == {}


def test_both_ways_at_once_count_as_the_direct_one() -> None:
    """A column with two keys is reported once, by the stronger evidence."""
    found = user_references(
        {
            "public.profiles": [key("id", "auth.users", "id")],
            "public.posts": [key("author", "public.profiles", "id"), key("author", "auth.users", "id")],
        }
    )

    assert found["public.posts"] == (UserReference(column="author", found="foreign key"),)
